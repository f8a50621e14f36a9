// M^T phi(x), phi elu or elu + 1, in bf16: see feature_memory.h for shapes and dtypes.
#pragma once

#include <torch/types.h>

namespace prefixmem::trainer::cpu {

bool runs_elu_memory(const torch::Tensor& x, const torch::Tensor& memory);

torch::Tensor elu_memory(const torch::Tensor& x, const torch::Tensor& memory, bool plus_one);

// gradient [T, heads, out] → of x, in its dtype, and of M, fp32 [heads, d, out]. Operands of bf16
// give M's gradient the bits that wide ones would give it, but for the order of the sum.
torch::Tensor elu_memory_x_gradient(const torch::Tensor& gradient, const torch::Tensor& x,
                                    const torch::Tensor& memory, bool plus_one);
torch::Tensor elu_memory_gradient(const torch::Tensor& gradient, const torch::Tensor& x,
                                  bool plus_one);

}  // namespace prefixmem::trainer::cpu
