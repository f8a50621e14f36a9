#include "worker/trainer/ops/dora.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

namespace prefixmem::trainer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kBlockElements = int64_t{1} << 22;  // of the summed weights held at once

class DoraDelta : public torch::autograd::Function<DoraDelta> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& base,
                               const torch::Tensor& update, const torch::Tensor& excess) {
    const torch::Tensor whole = base + update;
    context->save_for_backward({whole, excess});
    return at::addcmul(update, whole, excess.to(update.scalar_type()));
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor &whole = saved[0], &excess = saved[1], &gradient = gradients[0];
    const torch::Tensor scaled = gradient * excess.to(gradient.scalar_type());
    variable_list result = {scaled, gradient + scaled, {}};
    if (context->needs_input_grad(2)) {
      result[2] = (gradient.to(excess.scalar_type()) * whole).sum(0);
    }
    return result;
  }
};

}  // namespace

torch::Tensor dora_norms(const torch::Tensor& weight, const torch::Tensor& b,
                         const torch::Tensor& a, double scale) {
  const torch::NoGradGuard no_grad;
  const int64_t rows = weight.size(0);
  const int64_t block = std::max<int64_t>(1, kBlockElements / weight.size(1));
  torch::Tensor norms = at::empty({rows}, b.options());
  for (int64_t begin = 0; begin < rows; begin += block) {
    const int64_t count = std::min(block, rows - begin);
    const torch::Tensor sum = at::addmm(weight.narrow(0, begin, count).to(b.scalar_type()),
                                        b.narrow(0, begin, count), a, 1, scale);
    norms.narrow(0, begin, count).copy_(at::linalg_vector_norm(sum, 2, 1));
  }
  return norms;
}

torch::Tensor dora_delta(const torch::Tensor& base, const torch::Tensor& update,
                         const torch::Tensor& excess) {
  return DoraDelta::apply(base, update, excess);
}

}  // namespace prefixmem::trainer
