// The kernels of MatmulKernels. Included by isa.cc alone.
#pragma once

#include <utility>

#include "worker/trainer/ops/cpu/lanes.h"
#include "worker/trainer/ops/cpu/row_kernels.h"

namespace {

using prefixmem::trainer::cpu::Rows;

// Rows of a weight that are read a few lines at a time come from memory, and no hardware foresees
// them.
constexpr int64_t kRowsAhead = 16, kColumnsAhead = 256, kLine = 32;

void pack(Rows<const uint16_t> x, int64_t depth, int64_t width, uint16_t* out) {
  for (int64_t k = 0; k < depth; k += 2) {
    for (int64_t j = 0; j < width; j += kLine) {
      __builtin_prefetch(x.row(k + kRowsAhead) + j);
      __builtin_prefetch(x.row(k + kRowsAhead + 1) + j);
    }
    const uint16_t* const even = x.row(k);
    const uint16_t* const odd = k + 1 < depth ? x.row(k + 1) : nullptr;
    uint16_t* const pairs = out + k * width;
    int64_t j = 0;
    for (; j + kLanes <= width; j += kLanes) {
      const Ints low = __builtin_convertvector(raw_load<Shorts>(even + j), Ints);
      const Ints high =
          odd == nullptr ? low & 0 : __builtin_convertvector(raw_load<Shorts>(odd + j), Ints);
      raw_store(pairs + 2 * j, low | (high << 16));
    }
    for (; j < width; ++j) {
      pairs[2 * j] = even[j];
      pairs[2 * j + 1] = odd == nullptr ? 0 : odd[j];
    }
  }
}

// One step of a transposition of 16 rows: exchanges the blocks of `distance` off the diagonal.
constexpr int low_lane(int i, int distance) {
  return (i & distance) == 0 ? i : i - distance + static_cast<int>(kLanes);
}

template <int distance, int... lane>
PM_INLINE void exchange(Ints (&rows)[kLanes], std::integer_sequence<int, lane...>) {
  for (int i = 0; i < kLanes; ++i) {
    if ((i & distance) != 0) continue;
    const Ints a = rows[i], b = rows[i + distance];
    rows[i] = __builtin_shufflevector(a, b, low_lane(lane, distance)...);
    rows[i + distance] = __builtin_shufflevector(a, b, (low_lane(lane, distance) + distance)...);
  }
}

PM_INLINE void transpose_block(Ints (&rows)[kLanes]) {
  constexpr auto kAll = std::make_integer_sequence<int, kLanes>();
  exchange<8>(rows, kAll);
  exchange<4>(rows, kAll);
  exchange<2>(rows, kAll);
  exchange<1>(rows, kAll);
}

// 16 columns j, 16 pairs k.
PM_INLINE void pack_block(Rows<const uint16_t> x, int64_t width, uint16_t* out) {
  Ints rows[kLanes];
  for (int j = 0; j < kLanes; ++j) {
    __builtin_prefetch(x.row(j) + kColumnsAhead);
    rows[j] = raw_load<Ints>(x.row(j));
  }
  transpose_block(rows);
  for (int64_t k = 0; k < kLanes; ++k) raw_store(out + 2 * k * width, rows[k]);
}

void pack_transposed(Rows<const uint16_t> x, int64_t depth, int64_t width, uint16_t* out) {
  const int64_t whole = width / kLanes * kLanes, deep = depth / (2 * kLanes) * (2 * kLanes);
  for (int64_t j = 0; j < whole; j += kLanes) {
    for (int64_t k = 0; k < deep; k += 2 * kLanes) {
      pack_block({x.row(j) + k, x.stride}, width, out + k * width + 2 * j);
    }
  }
  for (int64_t j = 0; j < width; ++j) {
    for (int64_t k = j < whole ? deep : 0; k < depth; ++k) {
      out[(k / 2) * 2 * width + 2 * j + k % 2] = x.row(j)[k];
    }
    if (depth % 2 == 1) out[(depth - 1) * width + 2 * j + 1] = 0;
  }
}

void narrow(Rows<const float> x, const float* bias, Rows<uint16_t> y, int64_t count, int64_t n) {
  for (int64_t i = 0; i < count; ++i) {
    for_lanes(n, [&](auto read, auto write) {
      const Floats value = read(x.row(i));
      write(y.row(i), bias == nullptr ? value : value + read(bias));
    });
  }
}

// 32 rows i of x, 16 columns j.
PM_INLINE void transpose_part(Rows<const uint16_t> x, Rows<uint16_t> out) {
  Ints pairs[kLanes];
  for (int64_t i = 0; i < kLanes; ++i) {
    const Ints even = __builtin_convertvector(raw_load<Shorts>(x.row(2 * i)), Ints);
    const Ints odd = __builtin_convertvector(raw_load<Shorts>(x.row(2 * i + 1)), Ints);
    pairs[i] = even | (odd << 16);
  }
  transpose_block(pairs);
  for (int j = 0; j < kLanes; ++j) raw_store(out.row(j), pairs[j]);
}

void transpose(Rows<const uint16_t> x, Rows<uint16_t> out, int64_t count, int64_t n) {
  constexpr int64_t kTall = 2 * kLanes;
  const int64_t whole = n / kLanes * kLanes, tall = count / kTall * kTall;
  for (int64_t j = 0; j < whole; j += kLanes) {
    for (int64_t i = 0; i < tall; i += kTall) {
      transpose_part({x.row(i) + j, x.stride}, {out.row(j) + i, out.stride});
    }
  }
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t i = j < whole ? tall : 0; i < count; ++i) out.row(j)[i] = x.row(i)[j];
  }
}

}  // namespace
