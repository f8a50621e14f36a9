// Tensors as the kernels' rows.
#pragma once

#include <torch/types.h>

#include "worker/trainer/ops/cpu/row_kernels.h"

namespace prefixmem::trainer::cpu {

// Whether there are kernels for it. The plain compositions of LibTorch's operations serve CUDA and,
// in double, the checks of gradients.
inline bool handles(const torch::Tensor& x) {
  return x.is_cpu() && (x.scalar_type() == torch::kFloat || x.scalar_type() == torch::kBFloat16);
}

// Whose last dimension is without gaps.
inline torch::Tensor without_gaps(const torch::Tensor& x) {
  return x.stride(-1) == 1 ? x : x.contiguous();
}

// [..., n] as [rows, n] whose rows are without gaps; a view where that can be.
inline torch::Tensor as_rows(const torch::Tensor& x) {
  const torch::Tensor rows = x.reshape({-1, x.size(-1)});
  return rows.stride(1) == 1 || rows.size(1) == 1 ? rows : rows.contiguous();
}

// T as in RowKernels; const T for tensors that are only read. x [rows, n] or [n].
template <class T>
Rows<T> rows_of(const torch::Tensor& x) {
  return {static_cast<T*>(x.data_ptr()), x.dim() == 1 ? x.size(0) : x.stride(0)};
}

// The rows from `first` on.
template <class T>
Rows<T> from(const Rows<T>& rows, int64_t first) {
  return {rows.data == nullptr ? nullptr : rows.row(first), rows.stride};
}

// Calls body(T()) with the T that stands for a dtype that handles() accepts.
template <class Body>
void with_element(torch::Dtype dtype, const Body& body) {
  if (dtype == torch::kFloat) return body(float());
  body(uint16_t());
}

constexpr int64_t kParallelElements = 16384;  // below which a second thread does not pay

inline int64_t rows_per_thread(int64_t n) { return std::max<int64_t>(1, kParallelElements / n); }

}  // namespace prefixmem::trainer::cpu
