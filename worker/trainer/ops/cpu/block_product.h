// Products of bf16 with a right operand that is packed: by the processor's tiles (oneDNN's
// micro-kernels, through ATen) where it has them, by the vector kernel of row_kernels.h otherwise.
#pragma once

#include <cstdint>

#include "worker/trainer/ops/cpu/row_kernels.h"

namespace prefixmem::trainer::cpu {

// MatmulKernels::multiply. Ends with release_products() on each thread that called it.
void block_product(Rows<const uint16_t> a, PackedBlock b, Rows<float> sums, int64_t rows, bool add);
void release_products();

}  // namespace prefixmem::trainer::cpu
