// Root-mean-square norm over the last dimension.
#pragma once

#include <torch/types.h>

namespace prefixmem::trainer {

// y = x / sqrt(mean(x²) + eps) · weight, computed in fp32 and rounded once to x's dtype.
// x [..., n]; weight fp32 [n], frozen. Keeps x and one fp32 factor a row for the backward.
torch::Tensor rms_norm(const torch::Tensor& x, const torch::Tensor& weight, double eps);

}  // namespace prefixmem::trainer
