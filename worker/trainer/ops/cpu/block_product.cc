#include "worker/trainer/ops/cpu/block_product.h"

#include <ATen/native/CPUBlas.h>
#include <c10/util/BFloat16.h>

#include "worker/trainer/ops/cpu/scratch.h"

namespace prefixmem::trainer::cpu {
namespace {

using at::BFloat16;

constexpr int64_t kLeastTileRows = 16;

bool has_tiles() {
  static const bool has = at::native::cpublas::could_pack(at::kBFloat16);
  return has;
}

void tiles(Rows<const uint16_t> a, PackedBlock b, Rows<float> sums, int64_t rows, bool add) {
  at::native::cpublas::brgemm(rows, b.width, b.depth, a.stride, b.width, sums.stride, add,
                              reinterpret_cast<const BFloat16*>(a.data),
                              reinterpret_cast<const BFloat16*>(b.data), sums.data, true);
}

// The last `count` of kLeastTileRows rows: the rows before them are multiplied again.
void last_tiles(Rows<const uint16_t> a, PackedBlock b, Rows<float> sums, int64_t count, bool add) {
  float* const again = scratch<float>(Use::kLastRows, kLeastTileRows * b.width);
  tiles(a, b, {again, b.width}, kLeastTileRows, false);
  for (int64_t i = kLeastTileRows - count; i < kLeastTileRows; ++i) {
    for (int64_t j = 0; j < b.width; ++j) {
      sums.row(i)[j] = again[i * b.width + j] + (add ? sums.row(i)[j] : 0);
    }
  }
}

// In few sizes, because each size has a kernel generated for it.
void multiply_by_tiles(Rows<const uint16_t> a, PackedBlock b, Rows<float> sums, int64_t rows,
                       bool add) {
  int64_t row = 0;
  for (const int64_t count : {int64_t{256}, int64_t{64}, kLeastTileRows}) {
    for (; row + count <= rows; row += count) {
      tiles({a.row(row), a.stride}, b, {sums.row(row), sums.stride}, count, add);
    }
  }
  if (row == rows) return;
  if (rows < kLeastTileRows) return tiles(a, b, sums, rows, add);
  const int64_t first = rows - kLeastTileRows;
  last_tiles({a.row(first), a.stride}, b, {sums.row(first), sums.stride}, rows - row, add);
}

}  // namespace

void block_product(Rows<const uint16_t> a, PackedBlock b, Rows<float> sums, int64_t rows,
                   bool add) {
  if (has_tiles()) return multiply_by_tiles(a, b, sums, rows, add);
  matmul_kernels().multiply(a, b, sums, rows, add);
}

void release_products() {
  if (has_tiles()) at::native::cpublas::brgemm_release(true);
}

}  // namespace prefixmem::trainer::cpu
