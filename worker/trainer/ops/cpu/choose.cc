#include "worker/trainer/ops/cpu/isa.h"

namespace prefixmem::trainer::cpu {
namespace {

struct Isa {
  const RowKernels<float>& float_rows;
  const RowKernels<uint16_t>& bf16_rows;
  const MatmulKernels& matmul;
  const SoftmaxKernels& softmaxes;
  const OptimizerKernels& optimizer;
};

#if defined(__x86_64__)
Isa choose() {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512cd")) {
    if (__builtin_cpu_supports("avx512bf16")) {
      return {avx512bf16::float_rows(), avx512bf16::bf16_rows(), avx512bf16::matmul(),
              avx512bf16::softmaxes(), avx512bf16::optimizer()};
    }
    return {avx512::float_rows(), avx512::bf16_rows(), avx512::matmul(), avx512::softmaxes(),
            avx512::optimizer()};
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return {avx2::float_rows(), avx2::bf16_rows(), avx2::matmul(), avx2::softmaxes(),
            avx2::optimizer()};
  }
  return {any::float_rows(), any::bf16_rows(), any::matmul(), any::softmaxes(), any::optimizer()};
}
#else
Isa choose() {
  return {any::float_rows(), any::bf16_rows(), any::matmul(), any::softmaxes(), any::optimizer()};
}
#endif

const Isa& chosen() {
  static const Isa isa = choose();
  return isa;
}

}  // namespace

template <>
const RowKernels<float>& row_kernels<float>() {
  return chosen().float_rows;
}

template <>
const RowKernels<uint16_t>& row_kernels<uint16_t>() {
  return chosen().bf16_rows;
}

const MatmulKernels& matmul_kernels() { return chosen().matmul; }

const SoftmaxKernels& softmax_kernels() { return chosen().softmaxes; }

const OptimizerKernels& optimizer_kernels() { return chosen().optimizer; }

}  // namespace prefixmem::trainer::cpu
