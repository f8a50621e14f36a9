// Products of bf16 matrices, at the speed of packed weights without a packed copy: each block of
// the right operand is packed in cache on its way to the product.
#pragma once

#include <torch/types.h>

#include <functional>
#include <vector>

namespace prefixmem::trainer::cpu {

// Whether multiply() takes a left operand of `rows` × `depth`.
bool multiplies(const torch::Tensor& x, int64_t rows, int64_t depth);

// a bf16 [batch, m, k], its rows without gaps; b bf16 [batch, k, n], its rows or its columns
// without gaps. k even; or b has fewer rows than a has columns, and a is zero there. It counts for
// the rows of `out` from `begin` on, the first term of a product for all.
struct Term {
  torch::Tensor a, b;
  int64_t begin = 0;
};

// out = Σ a b + bias for each of a batch: out [batch, rows, n], its rows without gaps, in bf16 or
// fp32; bias fp32 [n] or undefined, for bf16 alone.
struct Product {
  std::vector<Term> terms;
  torch::Tensor out, bias;
};

// All products at once, shared out over the threads. Sums are fp32, rounded once. The bits do not
// depend on the number of threads.
void multiply(const std::vector<Product>& products);

// a b [m, n] in fp32, of bf16 [m, k] and [k, n] with an even k: the products of `depth` of k each,
// then their sum, which loses fewer digits of a long one.
torch::Tensor multiply_in_parts(const torch::Tensor& a, const torch::Tensor& b, int64_t depth);

// x [T, heads, d], its rows without gaps → [heads, d, T filled up with zeros], a left operand of
// any T.
torch::Tensor columns(const torch::Tensor& x);

// parallel_tasks() of tasks that use the micro-kernels; one thread alone where all of them make few
// multiplications.
void parallel_products(int64_t count, int64_t multiplications,
                       const std::function<void(int64_t)>& body);

constexpr int64_t kLeastRows = 16;

}  // namespace prefixmem::trainer::cpu
