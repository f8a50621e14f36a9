// The kernels as compiled for each instruction set: whatever a 64-bit processor has (on x86 that is
// SSE2), AVX2 with FMA, AVX-512, AVX-512 with conversions to and products of bf16.
#pragma once

#include <vector>

#include "worker/trainer/ops/cpu/row_kernels.h"

namespace prefixmem::trainer::cpu {

struct Isa {
  const RowKernels<float>* float_rows;
  const RowKernels<uint16_t>* bf16_rows;
  const MatmulKernels* matmul;
  const SoftmaxKernels* softmaxes;
  const OptimizerKernels* optimizer;
};

// Those that this processor has, each with more than the one before it.
std::vector<Isa> supported_isas();

#define PREFIXMEM_DECLARE_ISA(name)        \
  namespace name {                         \
  const RowKernels<float>& float_rows();   \
  const RowKernels<uint16_t>& bf16_rows(); \
  const MatmulKernels& matmul();           \
  const SoftmaxKernels& softmaxes();       \
  const OptimizerKernels& optimizer();     \
  }

PREFIXMEM_DECLARE_ISA(any)
PREFIXMEM_DECLARE_ISA(avx2)
PREFIXMEM_DECLARE_ISA(avx512)
PREFIXMEM_DECLARE_ISA(avx512bf16)

}  // namespace prefixmem::trainer::cpu
