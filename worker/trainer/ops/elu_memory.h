// PrefixMemory's term, arXiv 2506.13674: M^T elu(q) for each query head.
#pragma once

#include <torch/types.h>

namespace prefixmem::trainer {

// query [T, heads, d]; memory fp32 [heads, d, d] → [T, heads, d] in the query's dtype. The operands
// of its products are of that dtype and accumulate in fp32; elu is computed in fp32. The memory's
// gradient is of the memory's dtype. Keeps only its two arguments for the backward.
torch::Tensor elu_memory(const torch::Tensor& query, const torch::Tensor& memory);

}  // namespace prefixmem::trainer
