// Root-mean-square norm over the last dimension.
#pragma once

#include <torch/types.h>

namespace prefixmem::trainer {

// y = x / sqrt(mean(x²) + eps) · (weight + offset), computed in fp32 and rounded once to x's dtype.
// x [..., n]; weight [n] of any float dtype. Differentiable in both. Keeps x and one fp32 factor a
// row for the backward.
torch::Tensor rms_norm(const torch::Tensor& x, const torch::Tensor& weight, double eps,
                       double offset = 0);

// residual + rms_norm(x, …), rounded once more or, where one pass does both, once in all.
torch::Tensor add_rms_norm(const torch::Tensor& residual, const torch::Tensor& x,
                           const torch::Tensor& weight, double eps, double offset = 0);

}  // namespace prefixmem::trainer
