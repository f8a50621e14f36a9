#include "worker/trainer/ops/cpu/isa.h"

namespace prefixmem::trainer::cpu {
namespace {

#define PREFIXMEM_ISA_OF(name)                                                    \
  Isa {                                                                           \
    &name::float_rows(), &name::bf16_rows(), &name::matmul(), &name::softmaxes(), \
        &name::optimizer()                                                        \
  }

#if defined(__x86_64__)
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512cd");
}

bool has_avx512bf16() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }

// Intel's vector units multiply pairs of bf16 at half the rate of fp32.
bool widens_faster() { return __builtin_cpu_is("intel") != 0; }
#endif

Isa choose() {
  Isa best = supported_isas().back();
#if defined(__x86_64__)
  if (has_avx512bf16() && widens_faster()) {
    static const MatmulKernels kMixed = [] {
      MatmulKernels mixed = avx512bf16::matmul();
      mixed.multiply = avx512::matmul().multiply;
      return mixed;
    }();
    best.matmul = &kMixed;
  }
#endif
  return best;
}

const Isa& chosen() {
  static const Isa isa = choose();
  return isa;
}

}  // namespace

std::vector<Isa> supported_isas() {
  std::vector<Isa> all{PREFIXMEM_ISA_OF(any)};
#if defined(__x86_64__)
  if (has_avx2()) all.push_back(PREFIXMEM_ISA_OF(avx2));
  if (has_avx512()) all.push_back(PREFIXMEM_ISA_OF(avx512));
  if (has_avx512bf16()) all.push_back(PREFIXMEM_ISA_OF(avx512bf16));
#endif
  return all;
}

#undef PREFIXMEM_ISA_OF

template <>
const RowKernels<float>& row_kernels<float>() {
  return *chosen().float_rows;
}

template <>
const RowKernels<uint16_t>& row_kernels<uint16_t>() {
  return *chosen().bf16_rows;
}

const MatmulKernels& matmul_kernels() { return *chosen().matmul; }

const SoftmaxKernels& softmax_kernels() { return *chosen().softmaxes; }

const OptimizerKernels& optimizer_kernels() { return *chosen().optimizer; }

}  // namespace prefixmem::trainer::cpu
