#include "worker/trainer/ops/rms_norm.h"

#include <torch/csrc/autograd/custom_function.h>

#include <optional>

#include "worker/trainer/ops/cpu/elementwise.h"
#include "worker/trainer/ops/cpu/tensors.h"

namespace prefixmem::trainer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Optional = std::optional<torch::Tensor>;  // undefined tensors are no arguments of autograd

torch::Tensor factor_of(const torch::Tensor& weight, double offset) {
  const torch::Tensor wide = weight.to(torch::kFloat);
  return offset == 0 ? wide : wide + offset;
}

cpu::Normed norm(const torch::Tensor& x, const torch::Tensor& factor, double eps,
                 const torch::Tensor& residual) {
  if (cpu::handles(x)) return cpu::norm(x, factor, eps, residual);
  const torch::Tensor wide = x.to(torch::kFloat);
  const torch::Tensor inverse = wide.square().mean(-1, true).add_(eps).rsqrt_();
  const torch::Tensor y = (wide * inverse).mul_(factor).to(x.scalar_type());
  return {residual.defined() ? residual + y : y, inverse};
}

torch::Tensor norm_backward(const torch::Tensor& gradient, const torch::Tensor& x,
                            const torch::Tensor& factor, const torch::Tensor& inverse) {
  if (cpu::handles(x)) return cpu::norm_backward(gradient, x, factor, inverse);
  const torch::Tensor normed = x.to(torch::kFloat) * inverse;
  const torch::Tensor scaled = gradient.to(torch::kFloat) * factor;
  const torch::Tensor along = (scaled * normed).mean(-1, true);
  return scaled.sub_(normed.mul_(along)).mul_(inverse).to(x.scalar_type());
}

class RmsNorm : public torch::autograd::Function<RmsNorm> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weight, double eps, double offset,
                               const Optional& residual) {
    const cpu::Normed normed =
        norm(x, factor_of(weight, offset), eps, residual.value_or(torch::Tensor()));
    context->save_for_backward({x, weight, normed.inverse});
    context->saved_data["offset"] = offset;
    context->saved_data["added"] = residual.has_value();
    return normed.y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor &x = saved[0], &weight = saved[1], &inverse = saved[2];
    const double offset = context->saved_data["offset"].toDouble();
    variable_list result(5);
    if (context->needs_input_grad(0)) {
      result[0] = norm_backward(gradients[0], x, factor_of(weight, offset), inverse);
    }
    if (context->needs_input_grad(1)) {
      const torch::Tensor normed = x.to(torch::kFloat) * inverse;
      result[1] =
          (gradients[0].to(torch::kFloat) * normed).flatten(0, -2).sum(0).to(weight.scalar_type());
    }
    if (context->saved_data["added"].toBool()) result[4] = gradients[0];
    return result;
  }
};

}  // namespace

torch::Tensor rms_norm(const torch::Tensor& x, const torch::Tensor& weight, double eps,
                       double offset) {
  return RmsNorm::apply(x, weight, eps, offset, Optional());
}

torch::Tensor add_rms_norm(const torch::Tensor& residual, const torch::Tensor& x,
                           const torch::Tensor& weight, double eps, double offset) {
  return RmsNorm::apply(x, weight, eps, offset, Optional(residual));
}

}  // namespace prefixmem::trainer
