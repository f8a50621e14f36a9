// The norm of a gradient and what it is clipped by.
#pragma once

#include <torch/types.h>

namespace prefixmem::trainer {

// Euclidean, of fp32 values, in double.
double norm_of(const torch::Tensor& values);

// What to multiply a gradient of this norm with so that it has at most `max_norm`, as
// torch.nn.utils.clip_grad_norm_ does; 1 where nothing is to do, always for a max_norm of 0.
double clip_factor(double norm, double max_norm);

}  // namespace prefixmem::trainer
