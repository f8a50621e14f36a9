#include "worker/trainer/ops/gated_activation.h"

#include <torch/csrc/autograd/custom_function.h>

#include "worker/trainer/ops/cpu/elementwise.h"
#include "worker/trainer/ops/cpu/tensors.h"

namespace prefixmem::trainer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

torch::Tensor activate(const torch::Tensor& x, Activation activation) {
  return activation == Activation::kSilu ? at::silu(x) : at::gelu(x, "tanh");
}

torch::Tensor activation_gradient(const torch::Tensor& gradient, const torch::Tensor& x,
                                  Activation activation) {
  return activation == Activation::kSilu ? at::silu_backward(gradient, x)
                                         : at::gelu_backward(gradient, x, "tanh");
}

class GatedActivation : public torch::autograd::Function<GatedActivation> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& gate,
                               const torch::Tensor& up, int64_t activation) {
    context->save_for_backward({gate, up});
    context->saved_data["activation"] = activation;
    const auto kind = static_cast<Activation>(activation);
    return cpu::handles(gate) ? cpu::gate(gate, up, kind) : activate(gate, kind).mul_(up);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto activation = static_cast<Activation>(context->saved_data["activation"].toInt());
    if (cpu::handles(saved[0])) {
      const auto of = cpu::gate_backward(gradients[0], saved[0], saved[1], activation);
      return {of.gate, of.up, {}};
    }
    return {activation_gradient(gradients[0] * saved[1], saved[0], activation),
            activate(saved[0], activation).mul_(gradients[0]),
            {}};
  }
};

}  // namespace

torch::Tensor gated_activation(const torch::Tensor& gate, const torch::Tensor& up,
                               Activation activation) {
  return GatedActivation::apply(gate, up, static_cast<int64_t>(activation));
}

}  // namespace prefixmem::trainer
