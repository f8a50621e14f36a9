// PrefixMemory's term, arXiv 2506.13674: M^T phi(x) for each query head.
#pragma once

#include <torch/types.h>

#include "common/spec/job_spec.h"

namespace prefixmem::trainer {

using FeatureMap = PrefixMemoryMethod::FeatureMap;

// phi's own weights, fp32: ReLU(W x + b) under kMlp, undefined under the others.
struct FeatureWeights {
  torch::Tensor weight;  // [heads, features, d]
  torch::Tensor bias;    // [heads, features]
};

// x [T, heads, d]; memory fp32 [heads, features, out], features being d but for kMlp
// → [T, heads, out] in x's dtype. phi is elementwise elu, elu + 1 or gelu (by erf), in fp32. The
// operands of products are of x's dtype and accumulate in fp32; gradients of memory and weights are
// fp32. Keeps only its arguments: phi(x) is computed again in the backward.
torch::Tensor feature_memory(const torch::Tensor& x, const torch::Tensor& memory, FeatureMap map,
                             const FeatureWeights& weights = {});

}  // namespace prefixmem::trainer
