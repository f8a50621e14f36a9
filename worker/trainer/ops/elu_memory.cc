#include "worker/trainer/ops/elu_memory.h"

#include <torch/csrc/autograd/custom_function.h>

namespace prefixmem::trainer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

torch::Tensor by_head(const torch::Tensor& x) { return x.transpose(0, 1); }

class EluMemory : public torch::autograd::Function<EluMemory> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& query,
                               const torch::Tensor& memory) {
    context->save_for_backward({query, memory});
    return by_head(at::bmm(by_head(at::elu(query)), memory.to(query.scalar_type())));
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor &query = saved[0], &memory = saved[1];
    const torch::Tensor gradient = by_head(gradients[0]);
    variable_list result(2);
    if (context->needs_input_grad(0)) {
      const torch::Tensor features =
          at::bmm(gradient, memory.to(query.scalar_type()).transpose(1, 2));
      result[0] = at::elu_backward(by_head(features), 1, 1, 1, false, query);
    }
    if (context->needs_input_grad(1)) {
      // Wide operands, because a product of narrow ones would be rounded to their type.
      const auto wide = memory.scalar_type();
      const torch::Tensor features = by_head(at::elu(query)).transpose(1, 2);
      result[1] = at::bmm(features.to(wide), gradient.to(wide));
    }
    return result;
  }
};

}  // namespace

torch::Tensor elu_memory(const torch::Tensor& query, const torch::Tensor& memory) {
  return EluMemory::apply(query, memory);
}

}  // namespace prefixmem::trainer
