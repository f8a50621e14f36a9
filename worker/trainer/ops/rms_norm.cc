#include "worker/trainer/ops/rms_norm.h"

#include <torch/csrc/autograd/custom_function.h>

namespace prefixmem::trainer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

torch::Tensor factor_of(const torch::Tensor& weight, double offset) {
  const torch::Tensor wide = weight.to(torch::kFloat);
  return offset == 0 ? wide : wide + offset;
}

class RmsNorm : public torch::autograd::Function<RmsNorm> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weight, double eps, double offset) {
    const torch::Tensor wide = x.to(torch::kFloat);
    const torch::Tensor inverse = wide.square().mean(-1, true).add_(eps).rsqrt_();
    context->save_for_backward({x, weight, inverse});
    context->saved_data["offset"] = offset;
    return (wide * inverse).mul_(factor_of(weight, offset)).to(x.scalar_type());
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor &x = saved[0], &weight = saved[1], &inverse = saved[2];
    const torch::Tensor above = gradients[0].to(torch::kFloat);
    const torch::Tensor normed = x.to(torch::kFloat) * inverse;
    torch::Tensor of_weight;
    if (context->needs_input_grad(1)) {
      of_weight = (above * normed).flatten(0, -2).sum(0).to(weight.scalar_type());
    }
    const torch::Tensor scaled =
        above * factor_of(weight, context->saved_data["offset"].toDouble());
    const torch::Tensor along = (scaled * normed).mean(-1, true);
    const torch::Tensor of_x = scaled.sub_(normed.mul_(along)).mul_(inverse);
    return {of_x.to(x.scalar_type()), of_weight, {}, {}};
  }
};

}  // namespace

torch::Tensor rms_norm(const torch::Tensor& x, const torch::Tensor& weight, double eps,
                       double offset) {
  return RmsNorm::apply(x, weight, eps, offset);
}

}  // namespace prefixmem::trainer
