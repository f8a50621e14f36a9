#include "worker/trainer/ops/cpu/matmul.h"

#include <ATen/ATen.h>
#include <ATen/ceil_div.h>

#include <algorithm>

#include "worker/trainer/ops/cpu/block_product.h"
#include "worker/trainer/ops/cpu/row_kernels.h"
#include "worker/trainer/ops/cpu/scratch.h"
#include "worker/trainer/ops/cpu/tiles.h"
#include "worker/trainer/ops/parallel.h"

namespace prefixmem::trainer::cpu {
namespace {

constexpr int64_t kColumns = 64;  // of b packed and multiplied at a time
constexpr int64_t kDepth = 1024;  // of them, so that they stay in cache while rows of a pass
constexpr int64_t kRows = 4096;   // of the product at a time, so that their sums stay there too
constexpr int64_t kParallelMultiplications = int64_t{1} << 22;  // some microseconds of one core

// Some rows and columns of one of a batch.
struct Block {
  int64_t batch, row, rows, column, width;
};

// Rows [first, first + depth) of the block of b, those that b lacks being zero.
PackedBlock pack(const torch::Tensor& b, int64_t first, int64_t depth, const Block& block) {
  const auto* const right = static_cast<const uint16_t*>(b.data_ptr()) + block.batch * b.stride(0) +
                            first * b.stride(1) + block.column * b.stride(2);
  uint16_t* const packed = scratch<uint16_t>(Use::kPacked, depth * block.width);
  const int64_t rows = std::clamp<int64_t>(b.size(1) - first, 0, depth), even = (rows + 1) / 2 * 2;
  if (b.stride(2) == 1) {
    matmul_kernels().pack({right, b.stride(1)}, rows, block.width, packed);
  } else {
    matmul_kernels().pack_transposed({right, b.stride(2)}, rows, block.width, packed);
  }
  std::fill(packed + even * block.width, packed + depth * block.width, uint16_t{0});
  return {packed, depth, block.width};
}

// sums = Σ a b
void add_terms(const std::vector<Term>& terms, const Block& block, Rows<float> sums) {
  bool add = false;
  for (const auto& [a, b, begin] : terms) {
    const int64_t row = std::max(begin, block.row);
    const int64_t count = std::min(begin + a.size(1), block.row + block.rows) - row;
    if (count <= 0) continue;
    const auto* const left = static_cast<const uint16_t*>(a.data_ptr()) +
                             block.batch * a.stride(0) + (row - begin) * a.stride(1);
    for (int64_t first = 0; first < a.size(2); first += kDepth) {
      const int64_t depth = std::min(kDepth, a.size(2) - first);
      block_product({left + first, a.stride(1)}, pack(b, first, depth, block),
                    {sums.row(row - block.row), sums.stride}, count, add);
      add = true;
    }
  }
}

void compute_wide(const Product& product, const Block& block) {
  const torch::Tensor& out = product.out;
  float* const to = out.data_ptr<float>() + block.batch * out.stride(0) +
                    block.row * out.stride(1) + block.column;
  add_terms(product.terms, block, {to, out.stride(1)});
}

void compute_narrow(const Product& product, const Block& block) {
  const torch::Tensor& out = product.out;
  const Rows<float> sums{scratch<float>(Use::kSums, block.rows * block.width), block.width};
  add_terms(product.terms, block, sums);
  auto* const to = static_cast<uint16_t*>(out.data_ptr()) + block.batch * out.stride(0) +
                   block.row * out.stride(1) + block.column;
  const float* const bias =
      product.bias.defined() ? product.bias.data_ptr<float>() + block.column : nullptr;
  matmul_kernels().narrow({sums.data, sums.stride}, bias, {to, out.stride(1)}, block.rows,
                          block.width);
}

int64_t blocks_of(const Product& product) {
  const torch::Tensor& out = product.out;
  return out.size(0) * at::ceil_div(out.size(1), kRows) * at::ceil_div(out.size(2), kColumns);
}

void compute(const Product& product, int64_t task) {
  const int64_t rows = product.out.size(1), columns = product.out.size(2);
  const int64_t across = at::ceil_div(columns, kColumns), down = at::ceil_div(rows, kRows);
  const int64_t row = task / across % down * kRows, column = task % across * kColumns;
  const Block block{task / across / down, row, std::min(kRows, rows - row), column,
                    std::min(kColumns, columns - column)};
  if (product.out.scalar_type() == at::kFloat) return compute_wide(product, block);
  compute_narrow(product, block);
}

}  // namespace

bool multiplies(const torch::Tensor& x, int64_t rows, int64_t depth) {
  return x.is_cpu() && x.scalar_type() == at::kBFloat16 && rows >= kLeastRows && depth % 2 == 0 &&
         depth > 0;
}

void parallel_products(int64_t count, int64_t multiplications,
                       const std::function<void(int64_t)>& body) {
  if (multiplications >= kParallelMultiplications) {
    return parallel_tasks(count, body, release_products);
  }
  for (int64_t task = 0; task < count; ++task) body(task);
  release_products();
}

torch::Tensor columns(const torch::Tensor& x) {
  const int64_t tokens = x.size(0), heads = x.size(1), d = x.size(2);
  const int64_t depth = padded(tokens), across = at::ceil_div(d, kColumns);
  torch::Tensor out = at::empty({heads, d, depth}, x.options());
  out.narrow(2, tokens, depth - tokens).zero_();
  const auto* const from = static_cast<const uint16_t*>(x.data_ptr());
  auto* const to = static_cast<uint16_t*>(out.data_ptr());
  parallel_for(0, heads * across, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t head = task / across, first = task % across * kColumns;
      matmul_kernels().transpose({from + head * x.stride(1) + first, x.stride(0)},
                                 {to + (head * d + first) * depth, depth}, tokens,
                                 std::min(kColumns, d - first));
    }
  });
  return out;
}

void multiply(const std::vector<Product>& products) {
  std::vector<int64_t> first{0};
  int64_t multiplications = 0;
  for (const Product& product : products) {
    first.push_back(first.back() + blocks_of(product));
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

torch::Tensor multiply_in_parts(const torch::Tensor& a, const torch::Tensor& b, int64_t depth) {
  const int64_t whole = a.size(1), count = at::ceil_div(whole, depth);
  const torch::Tensor sums =
      at::empty({count, a.size(0), b.size(1)}, a.options().dtype(at::kFloat));
  std::vector<Product> products;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = i * depth, size = std::min(depth, whole - begin);
    products.push_back(
        {{{a.narrow(1, begin, size).unsqueeze(0), b.narrow(0, begin, size).unsqueeze(0)}},
         sums.narrow(0, i, 1),
         {}});
  }
  multiply(products);
  return sums.sum(0);
}

}  // namespace prefixmem::trainer::cpu
