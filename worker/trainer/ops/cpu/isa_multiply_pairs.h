// MatmulKernels::multiply for vector units that multiply pairs of bf16. Included by isa.cc alone.
#pragma once

#include "worker/trainer/ops/cpu/lanes.h"
#include "worker/trainer/ops/cpu/row_kernels.h"

namespace {

using prefixmem::trainer::cpu::PackedBlock;
using prefixmem::trainer::cpu::Rows;

// Some columns of b: `count` of them, from `first` on.
struct Columns {
  int64_t first, count;
};

PM_INLINE __m512bh pair_of(const uint16_t* from) {
  int32_t pair;
  std::memcpy(&pair, from, sizeof pair);
  return reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
}

// `kRows` rows by kVectors · kLanes columns, whose sums stay in registers; of the last vector only
// the columns that exist are touched.
template <int kRows, int kVectors>
void multiply_tile(Rows<const uint16_t> a, PackedBlock b, Columns columns, Rows<float> sums,
                   bool add) {
  const int64_t last = columns.count - (kVectors - 1) * kLanes;
  const auto mask = static_cast<__mmask16>((1U << last) - 1);
  const auto mask_of = [&](int v) { return v + 1 < kVectors ? __mmask16{0xffff} : mask; };
  __m512 sum[kRows][kVectors];
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectors; ++v) {
      const float* const from = sums.row(i) + columns.first + v * kLanes;
      sum[i][v] = add ? _mm512_maskz_loadu_ps(mask_of(v), from) : _mm512_setzero_ps();
    }
  }
  const uint16_t* right = b.data + 2 * columns.first;
  for (int64_t k = 0; k < b.depth; k += 2, right += 2 * b.width) {
    __m512bh pairs[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      pairs[v] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(right + 2 * kLanes * v));
    }
    for (int i = 0; i < kRows; ++i) {
      const __m512bh left = pair_of(a.row(i) + k);
      for (int v = 0; v < kVectors; ++v) sum[i][v] = _mm512_dpbf16_ps(sum[i][v], left, pairs[v]);
    }
  }
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectors; ++v) {
      _mm512_mask_storeu_ps(sums.row(i) + columns.first + v * kLanes, mask_of(v), sum[i][v]);
    }
  }
}

// The `count` <= kRows rows that are left.
template <int kRows, int kVectors>
void multiply_rest(Rows<const uint16_t> a, PackedBlock b, Columns columns, Rows<float> sums,
                   int64_t count, bool add) {
  if constexpr (kRows > 0) {
    if (count == kRows) return multiply_tile<kRows, kVectors>(a, b, columns, sums, add);
    multiply_rest<kRows - 1, kVectors>(a, b, columns, sums, count, add);
  }
}

template <int kVectors>
void multiply_columns(Rows<const uint16_t> a, PackedBlock b, Columns columns, Rows<float> sums,
                      int64_t rows, bool add) {
  constexpr int kRows = kVectors == 4 ? 6 : 12;  // 24 sums at best, of 32 registers
  int64_t row = 0;
  for (; row + kRows <= rows; row += kRows) {
    multiply_tile<kRows, kVectors>({a.row(row), a.stride}, b, columns, {sums.row(row), sums.stride},
                                   add);
  }
  multiply_rest<kRows - 1, kVectors>({a.row(row), a.stride}, b, columns,
                                     {sums.row(row), sums.stride}, rows - row, add);
}

void multiply(Rows<const uint16_t> a, PackedBlock b, Rows<float> sums, int64_t rows, bool add) {
  int64_t at = 0;
  for (; at + 4 * kLanes <= b.width; at += 4 * kLanes) {
    multiply_columns<4>(a, b, {at, 4 * kLanes}, sums, rows, add);
  }
  for (; at < b.width; at += 2 * kLanes) {
    const int64_t left = b.width - at;
    const Columns rest{at, left < 2 * kLanes ? left : 2 * kLanes};
    if (rest.count > kLanes) {
      multiply_columns<2>(a, b, rest, sums, rows, add);
    } else {
      multiply_columns<1>(a, b, rest, sums, rows, add);
    }
  }
}

}  // namespace
