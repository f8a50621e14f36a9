#include "worker/trainer/ops/cpu/matmul.h"

#include <ATen/ATen.h>

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
constexpr int64_t kParallelMultiplications = int64_t{1} << 22;  // some microseconds of one core

// Some columns of one of a batch.
struct Block {
  int64_t batch, column, width;
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
    const auto* const left = static_cast<const uint16_t*>(a.data_ptr()) + block.batch * a.stride(0);
    for (int64_t first = 0; first < a.size(2); first += kDepth) {
      const int64_t depth = std::min(kDepth, a.size(2) - first);
      block_product({left + first, a.stride(1)}, pack(b, first, depth, block),
                    {sums.row(begin), sums.stride}, a.size(1), add);
      add = true;
    }
  }
}

void compute_wide(const Product& product, const Block& block) {
  const torch::Tensor& out = product.out;
  float* const to = out.data_ptr<float>() + block.batch * out.stride(0) + block.column;
  add_terms(product.terms, block, {to, out.stride(1)});
}

void compute_narrow(const Product& product, const Block& block) {
  const torch::Tensor& out = product.out;
  const Rows<float> sums{scratch<float>(Use::kSums, out.size(1) * block.width), block.width};
  add_terms(product.terms, block, sums);
  auto* const to =
      static_cast<uint16_t*>(out.data_ptr()) + block.batch * out.stride(0) + block.column;
  const float* const bias =
      product.bias.defined() ? product.bias.data_ptr<float>() + block.column : nullptr;
  matmul_kernels().narrow({sums.data, sums.stride}, bias, {to, out.stride(1)}, out.size(1),
                          block.width);
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
  const int64_t depth = padded(tokens);
  torch::Tensor out = at::empty({heads, d, depth}, x.options());
  out.narrow(2, tokens, depth - tokens).zero_();
  parallel_for(0, heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t head = begin; head < end; ++head) {
      matmul_kernels().transpose({static_cast<const uint16_t*>(x.data_ptr()) + head * d, heads * d},
                                 {static_cast<uint16_t*>(out.data_ptr()) + head * d * depth, depth},
                                 tokens, d);
    }
  });
  return out;
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
