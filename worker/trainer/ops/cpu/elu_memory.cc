#include "worker/trainer/ops/cpu/elu_memory.h"

#include <ATen/ATen.h>

#include "worker/trainer/ops/cpu/elementwise.h"
#include "worker/trainer/ops/cpu/matmul.h"
#include "worker/trainer/ops/cpu/tensors.h"

namespace prefixmem::trainer::cpu {
namespace {

Feature kind_of(bool plus_one) { return plus_one ? Feature::kEluPlusOne : Feature::kElu; }

torch::Tensor by_head(const torch::Tensor& x) { return x.transpose(0, 1); }

}  // namespace

bool runs_elu_memory(const torch::Tensor& x, const torch::Tensor& memory) {
  return multiplies(x, std::min(x.size(0), x.size(2)), x.size(2)) && memory.size(2) % 2 == 0 &&
         memory.scalar_type() == at::kFloat;
}

torch::Tensor elu_memory(const torch::Tensor& x, const torch::Tensor& memory, bool plus_one) {
  const torch::Tensor features = feature(x, kind_of(plus_one));
  const torch::Tensor out = at::empty({x.size(0), x.size(1), memory.size(2)}, x.options());
  multiply({{{{by_head(features), memory.to(x.scalar_type())}}, by_head(out), {}}});
  return out;
}

torch::Tensor elu_memory_x_gradient(const torch::Tensor& gradient, const torch::Tensor& x,
                                    const torch::Tensor& memory, bool plus_one) {
  const torch::Tensor back = at::empty(x.sizes(), x.options().dtype(at::kFloat));
  multiply({{{{by_head(without_gaps(gradient)), memory.to(x.scalar_type()).transpose(1, 2)}},
             by_head(back),
             {}}});
  return feature_backward(back, x, kind_of(plus_one));
}

torch::Tensor elu_memory_gradient(const torch::Tensor& gradient, const torch::Tensor& x,
                                  bool plus_one) {
  const torch::Tensor out =
      at::empty({x.size(1), x.size(2), gradient.size(2)}, x.options().dtype(at::kFloat));
  multiply(
      {{{{columns(feature(x, kind_of(plus_one))), by_head(without_gaps(gradient))}}, out, {}}});
  return out;
}

}  // namespace prefixmem::trainer::cpu
