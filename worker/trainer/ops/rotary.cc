#include "worker/trainer/ops/rotary.h"

#include <torch/csrc/autograd/custom_function.h>

#include "worker/trainer/ops/cpu/elementwise.h"
#include "worker/trainer/ops/cpu/tensors.h"

namespace prefixmem::trainer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// By the angles of the tables, or by the opposite ones: sign is 1 or -1.
torch::Tensor turn(const torch::Tensor& x, const torch::Tensor& cos, const torch::Tensor& sine,
                   float sign) {
  if (cpu::handles(x)) return cpu::rotate(x, cos, sine, sign);
  const torch::Tensor sin = sign < 0 ? sine.neg() : sine;
  const int64_t half = x.size(-1) / 2;
  const torch::Tensor low = x.narrow(-1, 0, half).to(torch::kFloat);
  const torch::Tensor high = x.narrow(-1, half, half).to(torch::kFloat);
  torch::Tensor turned =
      torch::empty(x.sizes(), x.options().memory_format(c10::MemoryFormat::Contiguous));
  turned.narrow(-1, 0, half).copy_((low * cos).sub_(high * sin));
  turned.narrow(-1, half, half).copy_((high * cos).add_(low * sin));
  return turned;
}

class Rotate : public torch::autograd::Function<Rotate> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& cos, const torch::Tensor& sin) {
    context->save_for_backward({cos, sin});
    return turn(x, cos, sin, 1);
  }

  // A rotation's transpose is the rotation by the opposite angle.
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    return {turn(gradients[0], saved[0], saved[1], -1), {}, {}};
  }
};

}  // namespace

RotaryTables rotary_tables(const torch::Tensor& positions, const torch::Tensor& inverse_frequency,
                           double factor) {
  const torch::Tensor angles =
      positions.to(torch::kFloat).view({-1, 1, 1}) * inverse_frequency.view({1, 1, -1});
  return {angles.cos().mul_(factor), angles.sin().mul_(factor)};
}

torch::Tensor rotate(const torch::Tensor& x, const RotaryTables& tables) {
  return Rotate::apply(x, tables.cos, tables.sin);
}

}  // namespace prefixmem::trainer
