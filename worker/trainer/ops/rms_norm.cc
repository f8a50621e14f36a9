#include "worker/trainer/ops/rms_norm.h"

#include <torch/csrc/autograd/custom_function.h>

namespace prefixmem::trainer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class RmsNorm : public torch::autograd::Function<RmsNorm> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weight, double eps) {
    const torch::Tensor wide = x.to(torch::kFloat);
    const torch::Tensor inverse = wide.square().mean(-1, true).add_(eps).rsqrt_();
    context->save_for_backward({x, weight, inverse});
    return (wide * inverse).mul_(weight).to(x.scalar_type());
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor& inverse = saved[2];
    const torch::Tensor normed = saved[0].to(torch::kFloat) * inverse;
    const torch::Tensor scaled = gradients[0].to(torch::kFloat) * saved[1];
    const torch::Tensor along = (scaled * normed).mean(-1, true);
    const torch::Tensor gradient = scaled.sub_(normed.mul_(along)).mul_(inverse);
    return {gradient.to(saved[0].scalar_type()), {}, {}};
  }
};

}  // namespace

torch::Tensor rms_norm(const torch::Tensor& x, const torch::Tensor& weight, double eps) {
  return RmsNorm::apply(x, weight, eps);
}

}  // namespace prefixmem::trainer
