#include "worker/trainer/ops/cpu/elu_memory.h"

#include <ATen/ATen.h>

#include "worker/trainer/ops/cpu/elementwise.h"
#include "worker/trainer/ops/cpu/matmul.h"
#include "worker/trainer/ops/cpu/tensors.h"
#include "worker/trainer/ops/cpu/tiles.h"
#include "worker/trainer/ops/parallel.h"

namespace prefixmem::trainer::cpu {
namespace {

Feature kind_of(bool plus_one) { return plus_one ? Feature::kEluPlusOne : Feature::kElu; }

torch::Tensor by_head(const torch::Tensor& x) { return x.transpose(0, 1); }

// x [T, heads, d], contiguous → [heads, d, T filled up with zeros].
torch::Tensor columns(const torch::Tensor& x) {
  const int64_t tokens = x.size(0), heads = x.size(1), d = x.size(2);
  const int64_t depth = padded(tokens);
  torch::Tensor out = at::empty({heads, d, depth}, x.options());
  out.narrow(2, tokens, depth - tokens).zero_();
  parallel_for(0, heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t head = begin; head < end; ++head) {
      matmul_kernels().transpose({static_cast<const uint16_t*>(x.data_ptr()) + head * d, heads * d},
                                 {static_cast<uint16_t*>(out.data_ptr()) + head * d * depth, depth},
                                 tokens, d);
    }
  });
  return out;
}

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
