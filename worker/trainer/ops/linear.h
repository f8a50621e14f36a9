// Linear maps, of frozen or trained weights, and low-rank updates of them that are trained.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "worker/trainer/model/linear_weights.h"

namespace prefixmem::trainer {

// scale (x aᵀ) bᵀ, by trained matrices.
struct LowRank {
  torch::Tensor a, b;  // fp32 [r, in] and [out, r], multiplied in x's dtype
  double scale = 1;
};

// By LibTorch's operations; x [T, in] → [T, out].
torch::Tensor low_rank_product(const torch::Tensor& x, const LowRank& by);

// What rows [begin, begin + count) of one of the maps' outputs gain.
struct LowRankUpdate {
  size_t map;
  int64_t begin, count;
  LowRank by;
};

// x weightᵀ + bias for each map, and its updates; x [T, in] → [T, out] each. Updates of the same
// rows follow one another. Keeps the weights, of the updates x and x aᵀ, and x where a weight or
// bias requires a gradient. On a CPU in bf16, of some rows and even sizes, sums and those of
// gradients are fp32.
std::vector<torch::Tensor> linear(const torch::Tensor& x, const std::vector<LinearWeights>& maps,
                                  const std::vector<LowRankUpdate>& updates = {});

}  // namespace prefixmem::trainer
