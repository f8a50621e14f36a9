// Compiled once for each instruction set (CMakeLists.txt), with PREFIXMEM_ISA its name here.
#include "worker/trainer/ops/cpu/isa.h"

#include "worker/trainer/ops/cpu/isa_matmul.h"
#include "worker/trainer/ops/cpu/isa_optimizer.h"
#include "worker/trainer/ops/cpu/isa_rows.h"
#include "worker/trainer/ops/cpu/isa_softmax.h"
#ifdef __AVX512BF16__
#include "worker/trainer/ops/cpu/isa_multiply_pairs.h"
#else
#include "worker/trainer/ops/cpu/isa_multiply_widened.h"
#endif

namespace prefixmem::trainer::cpu::PREFIXMEM_ISA {
namespace {

template <class T>
constexpr RowKernels<T> kRowKernels = {
    norm<T>,          norm_backward<T>, rotate<T>,          gate<T>,
    gate_backward<T>, feature<T>,       feature_backward<T>};

}  // namespace

const RowKernels<float>& float_rows() { return kRowKernels<float>; }
const RowKernels<uint16_t>& bf16_rows() { return kRowKernels<uint16_t>; }

const MatmulKernels& matmul() {
  static constexpr MatmulKernels kKernels = {pack, pack_transposed, narrow, transpose, multiply};
  return kKernels;
}

const SoftmaxKernels& softmaxes() {
  static constexpr SoftmaxKernels kKernels = {softmax, softmax_backward, dot, column_max,
                                              column_exp};
  return kKernels;
}

const OptimizerKernels& optimizer() {
  static constexpr OptimizerKernels kKernels = {adamw, sum_of_squares};
  return kKernels;
}

}  // namespace prefixmem::trainer::cpu::PREFIXMEM_ISA
