// MatmulKernels::multiply by fp32 multiply-adds, for vector units without products of bf16, or
// whose products of bf16 are slower. Included by isa.cc alone.
#pragma once

#include "worker/trainer/ops/cpu/lanes.h"
#include "worker/trainer/ops/cpu/row_kernels.h"

namespace {

using prefixmem::trainer::cpu::PackedBlock;
using prefixmem::trainer::cpu::Rows;

// As wide as a register: the compiler does not keep a vector of several registers in them.
#if defined(__AVX512F__)
constexpr int64_t kRegisterBytes = 64;
constexpr int kTileRows = 12;  // by two vectors: 24 sums, of 32 registers
#elif defined(__AVX__)
constexpr int64_t kRegisterBytes = 32;
constexpr int kTileRows = 6;  // 12 sums, of 16 registers
#else
constexpr int64_t kRegisterBytes = 16;
constexpr int kTileRows = 6;
#endif
constexpr int64_t kWide = kRegisterBytes / sizeof(float);
// What is widened at a time, so that it stays in cache.
constexpr int64_t kTileDepth = 256, kPanelColumns = 64;

using Wide = float __attribute__((vector_size(kRegisterBytes)));
using WideInts = int32_t __attribute__((vector_size(kRegisterBytes)));

// kTileRows rows of a; columns of b.
using WidenedRows = float[kTileRows][kTileDepth];
using WidenedColumns = float[kTileDepth][kPanelColumns];

PM_INLINE void widen(Rows<const uint16_t> a, int64_t rows, int64_t depth, WidenedRows& out) {
  for (int64_t i = 0; i < rows; ++i) {
    for_lanes(depth, [&](auto read, auto write) { write(out[i], read(a.row(i))); });
  }
}

// `count` <= kPanelColumns columns, filled up to a whole vector.
PM_INLINE void widen(const PackedBlock& b, int64_t count, WidenedColumns& out) {
  for (int64_t k = 0; k < b.depth; k += 2) {
    for (int64_t j = 0; j < count; j += kWide) {
      const auto pairs = raw_load<WideInts>(b.data + k * b.width + 2 * j);
      raw_store(out[k] + j, pairs << 16);
      raw_store(out[k + 1] + j, pairs & ~0xffff);
    }
  }
}

// `count` <= kVectors · kWide of a row.
template <int kVectors>
PM_INLINE void load_columns(const float* from, int64_t count, Wide (&to)[kVectors]) {
  float part[kVectors * kWide] = {};
  const bool whole = count == kVectors * kWide;
  if (!whole) std::memcpy(part, from, count * sizeof(float));
  for (int v = 0; v < kVectors; ++v) to[v] = raw_load<Wide>((whole ? from : part) + v * kWide);
}

template <int kVectors>
PM_INLINE void store_columns(const Wide (&from)[kVectors], int64_t count, float* to) {
  float part[kVectors * kWide];
  const bool whole = count == kVectors * kWide;
  for (int v = 0; v < kVectors; ++v) raw_store((whole ? to : part) + v * kWide, from[v]);
  if (!whole) std::memcpy(to, part, count * sizeof(float));
}

// Adds each product to its sum in the order of depth, and of a pair the second first, as the
// instruction for pairs does: a sum depends neither on its tile nor on the kernel.
template <int kRows, int kVectors>
void multiply_tile(const WidenedRows& a, const float* b, int64_t depth, Rows<float> sums,
                   int64_t count, bool add) {
  Wide sum[kRows][kVectors] = {};
  for (int i = 0; i < kRows && add; ++i) load_columns(sums.row(i), count, sum[i]);
  for (int64_t k = 0; k < depth; k += 2, b += 2 * kPanelColumns) {
    for (int64_t second = 1; second >= 0; --second) {
      Wide of[kVectors];
      for (int v = 0; v < kVectors; ++v) {
        of[v] = raw_load<Wide>(b + second * kPanelColumns + v * kWide);
      }
      for (int i = 0; i < kRows; ++i) {
        for (int v = 0; v < kVectors; ++v) sum[i][v] += a[i][k + second] * of[v];
      }
    }
  }
  for (int i = 0; i < kRows; ++i) store_columns(sum[i], count, sums.row(i));
}

template <int kRows>
void multiply_rows(const WidenedRows& a, const WidenedColumns& b, int64_t depth, Rows<float> sums,
                   int64_t width, bool add) {
  int64_t j = 0;
  for (; width - j > kWide; j += 2 * kWide) {
    const int64_t left = width - j;
    multiply_tile<kRows, 2>(a, b[0] + j, depth, {sums.data + j, sums.stride},
                            left < 2 * kWide ? left : 2 * kWide, add);
  }
  if (j >= width) return;
  multiply_tile<kRows, 1>(a, b[0] + j, depth, {sums.data + j, sums.stride}, width - j, add);
}

// `count` <= kRows rows.
template <int kRows>
void multiply_some_rows(const WidenedRows& a, const WidenedColumns& b, int64_t depth,
                        Rows<float> sums, int64_t width, int64_t count, bool add) {
  if constexpr (kRows > 0) {
    if (count == kRows) return multiply_rows<kRows>(a, b, depth, sums, width, add);
    multiply_some_rows<kRows - 1>(a, b, depth, sums, width, count, add);
  }
}

void multiply(Rows<const uint16_t> a, PackedBlock b, Rows<float> sums, int64_t rows, bool add) {
  WidenedRows left;
  WidenedColumns right;
  for (int64_t j = 0; j < b.width; j += kPanelColumns) {
    const int64_t width = b.width - j < kPanelColumns ? b.width - j : kPanelColumns;
    for (int64_t k = 0; k < b.depth; k += kTileDepth) {
      const int64_t depth = b.depth - k < kTileDepth ? b.depth - k : kTileDepth;
      widen(PackedBlock{b.data + k * b.width + 2 * j, depth, b.width}, width, right);
      for (int64_t i = 0; i < rows; i += kTileRows) {
        const int64_t count = rows - i < kTileRows ? rows - i : kTileRows;
        widen({a.row(i) + k, a.stride}, count, depth, left);
        multiply_some_rows<kTileRows>(left, right, depth, {sums.row(i) + j, sums.stride}, width,
                                      count, add || k > 0);
      }
    }
  }
}

}  // namespace
