#include "worker/trainer/ops/cpu/matmul.h"

#include <ATen/ATen.h>
#include <ATen/native/CPUBlas.h>

#include <algorithm>

#include "worker/trainer/ops/cpu/row_kernels.h"
#include "worker/trainer/ops/cpu/scratch.h"
#include "worker/trainer/ops/parallel.h"

namespace prefixmem::trainer::cpu {
namespace {

using at::BFloat16;

constexpr int64_t kColumns = 64;  // of b packed and multiplied at a time
constexpr int64_t kParallelMultiplications = int64_t{1} << 22;  // some microseconds of one core

// body(row, place, count) over rows [0, m) in few sizes, because each size has a kernel generated
// for it. The last block goes back over rows already done where m is no multiple; `place`, where
// its sums stand, does not.
template <class Body>
void over_row_blocks(int64_t m, const Body& body) {
  int64_t row = 0;
  for (const int64_t count : {int64_t{256}, int64_t{64}, kLeastRows}) {
    for (; row + count <= m; row += count) body(row, row, count);
  }
  if (row < m) body(m - kLeastRows, row, kLeastRows);
}

// Some columns of one of a batch.
struct Block {
  int64_t batch, column, width;
};

const uint16_t* pack(const torch::Tensor& b, int64_t depth, const Block& block) {
  const auto* const right = static_cast<const uint16_t*>(b.data_ptr()) + block.batch * b.stride(0) +
                            block.column * b.stride(2);
  uint16_t* const packed = scratch<uint16_t>(Use::kPacked, depth * block.width);
  const int64_t rows = b.size(1), even = (rows + 1) / 2 * 2;
  if (b.stride(2) == 1) {
    matmul_kernels().pack({right, b.stride(1)}, rows, block.width, packed);
  } else {
    matmul_kernels().pack_transposed({right, b.stride(2)}, rows, block.width, packed);
  }
  std::fill(packed + even * block.width, packed + depth * block.width, uint16_t{0});
  return packed;
}

// Where the sums of a block go: each row to its own place, or to that of its block of rows.
struct Sums {
  Rows<float> to;
  bool by_row;
};

// Rows of a times the block of b, or sums += that; after each block of rows, done(row, place,
// count).
template <class Done>
void multiply_block(const Term& term, const Block& block, const Sums& sums, bool add,
                    const Done& done) {
  const torch::Tensor& a = term.a;
  const int64_t depth = a.size(2);
  const auto* const packed = reinterpret_cast<const BFloat16*>(pack(term.b, depth, block));
  const auto* const left = static_cast<const BFloat16*>(a.data_ptr()) + block.batch * a.stride(0);
  over_row_blocks(a.size(1), [&](int64_t row, int64_t place, int64_t count) {
    at::native::cpublas::brgemm(count, block.width, depth, a.stride(1), block.width, sums.to.stride,
                                add, left + row * a.stride(1), packed,
                                sums.to.row(sums.by_row ? row : place), true);
    done(row, place, count);
  });
}

void compute_wide(const Product& product, const Block& block) {
  const torch::Tensor& out = product.out;
  float* const to = out.data_ptr<float>() + block.batch * out.stride(0) + block.column;
  multiply_block(product.terms.front(), block, {{to, out.stride(1)}, true}, false,
                 [](int64_t, int64_t, int64_t) {});
}

void compute_narrow(const Product& product, const Block& block) {
  const torch::Tensor& out = product.out;
  auto* const to =
      static_cast<uint16_t*>(out.data_ptr()) + block.batch * out.stride(0) + block.column;
  const float* const bias =
      product.bias.defined() ? product.bias.data_ptr<float>() + block.column : nullptr;
  float* const sums = scratch<float>(Use::kSums, (out.size(1) + kLeastRows) * block.width);
  const Term* const last = &product.terms.back();
  for (const Term& term : product.terms) {
    multiply_block(term, block, {{sums, block.width}, false}, &term != &product.terms.front(),
                   [&](int64_t row, int64_t place, int64_t count) {
                     if (&term != last) return;
                     matmul_kernels().narrow({sums + place * block.width, block.width}, bias,
                                             {to + row * out.stride(1), out.stride(1)}, count,
                                             block.width);
                   });
  }
}

int64_t blocks_across(const Product& product) {
  return (product.out.size(2) + kColumns - 1) / kColumns;
}

void compute(const Product& product, int64_t task) {
  const int64_t across = blocks_across(product), column = task % across * kColumns;
  const Block block{task / across, column, std::min(kColumns, product.out.size(2) - column)};
  if (product.out.scalar_type() == at::kFloat) return compute_wide(product, block);
  compute_narrow(product, block);
}

}  // namespace

bool multiplies_bf16() {
  static const bool does = at::native::cpublas::could_pack(at::kBFloat16);
  return does;
}

bool multiplies(const torch::Tensor& x, int64_t rows, int64_t depth) {
  return x.is_cpu() && x.scalar_type() == at::kBFloat16 && rows >= kLeastRows && depth % 2 == 0 &&
         depth > 0 && multiplies_bf16();
}

void parallel_products(int64_t count, int64_t multiplications,
                       const std::function<void(int64_t)>& body) {
  const auto release = [] { at::native::cpublas::brgemm_release(true); };
  if (multiplications >= kParallelMultiplications) return parallel_tasks(count, body, release);
  for (int64_t task = 0; task < count; ++task) body(task);
  release();
}

void multiply(const std::vector<Product>& products) {
  std::vector<int64_t> first{0};
  int64_t multiplications = 0;
  for (const Product& product : products) {
    first.push_back(first.back() + product.out.size(0) * blocks_across(product));
    for (const Term& term : product.terms) {
      multiplications += product.out.numel() * term.a.size(2);
    }
  }
  parallel_products(first.back(), multiplications, [&](int64_t task) {
    const auto next = std::upper_bound(first.begin(), first.end(), task);
    const auto at = next - first.begin() - 1;
    compute(products[at], task - first[at]);
  });
}

}  // namespace prefixmem::trainer::cpu
