// Small bf16 matrices in a thread's scratch memory, padded so that few sizes of product occur.
#pragma once

#include <cstdint>

#include "worker/trainer/ops/cpu/block_product.h"
#include "worker/trainer/ops/cpu/row_kernels.h"
#include "worker/trainer/ops/cpu/scratch.h"

namespace prefixmem::trainer::cpu {

constexpr int64_t kTile = 32;

inline int64_t padded(int64_t n) { return (n + kTile - 1) / kTile * kTile; }

// Row-major, without gaps.
struct Tile {
  uint16_t* data;
  int64_t rows, columns;
  Rows<const uint16_t> all() const { return {data, columns}; }
};

inline Tile new_tile(Use use, int64_t rows, int64_t columns) {
  return {scratch<uint16_t>(use, rows * columns), rows, columns};
}

// The right operands of products: x and xᵀ.
inline Tile packed(Use use, const Tile& x) {
  const Tile out = new_tile(use, x.rows, x.columns);
  matmul_kernels().pack(x.all(), x.rows, x.columns, out.data);
  return out;
}

inline Tile packed_transposed(Use use, const Tile& x) {
  const Tile out = new_tile(use, x.columns, x.rows);
  matmul_kernels().pack_transposed(x.all(), x.columns, x.rows, out.data);
  return out;
}

inline Tile transposed(Use use, const Tile& x) {
  const Tile out = new_tile(use, x.columns, x.rows);
  matmul_kernels().transpose(x.all(), {out.data, out.columns}, x.rows, x.columns);
  return out;
}

// out [a.rows, b.columns] = a b, or out += a b; b packed.
inline void tile_product(const Tile& a, const Tile& b, float* out, bool add = false) {
  block_product(a.all(), {b.data, a.columns, b.columns}, {out, b.columns}, a.rows, add);
}

}  // namespace prefixmem::trainer::cpu
