// Passes over flat fp32 buffers, shared out over the threads.
#pragma once

#include <torch/types.h>

#include "worker/trainer/ops/cpu/row_kernels.h"

namespace prefixmem::trainer::cpu {

// Buffers of n values.
void adamw(const AdamWFactors& by, const AdamWBuffers& buffers, int64_t n);

// Of x, fp32 and without gaps. Its bits do not depend on the number of threads.
double sum_of_squares(const torch::Tensor& x);

}  // namespace prefixmem::trainer::cpu
