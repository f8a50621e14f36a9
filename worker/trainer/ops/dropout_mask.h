// The random bits behind dropout, in plain integers and as tensor operations.
#pragma once

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace prefixmem::trainer {

// Bits of one element; `row` is 64 random bits of its row. The upper half enters after a first
// round, so that the masks of two rows are never shifts of each other, and goes through two more.
// Multipliers and shifts are those of Chris Wellons' hash prospector (public domain).
constexpr uint32_t dropout_bits(uint64_t row, uint32_t column) {
  uint32_t x = static_cast<uint32_t>(row) + column * 0x9e3779b9U;
  x ^= x >> 16;
  x *= 0x7feb352dU;
  x ^= static_cast<uint32_t>(row >> 32);
  x ^= x >> 16;
  x *= 0x21f0aaadU;
  x ^= x >> 15;
  x *= 0x735a2d97U;
  return x ^ (x >> 15);
}

// An element is dropped where its bits are below this.
inline uint32_t dropout_threshold(double p) {
  return static_cast<uint32_t>(std::min(std::round(p * 0x1p32), 0x1p32 - 1));
}

// bool [T, n] on the device of `rows`, int64 [T]: true where dropped.
torch::Tensor dropout_mask(const torch::Tensor& rows, int64_t columns, double p);

}  // namespace prefixmem::trainer
