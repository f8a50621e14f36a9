// Linear maps whose weights are frozen.
#pragma once

#include <torch/types.h>

#include <vector>

#include "worker/trainer/model/linear_site.h"

namespace prefixmem::trainer {

// x weightᵀ + bias for each map; x [T, in] → [T, out] each. Keeps nothing but the weights; the
// gradients of x are summed in fp32 where the processor multiplies bf16. Maps of which a weight or
// bias requires a gradient are LibTorch's own linear.
std::vector<torch::Tensor> linear(const torch::Tensor& x, const std::vector<LinearWeights>& maps);

}  // namespace prefixmem::trainer
