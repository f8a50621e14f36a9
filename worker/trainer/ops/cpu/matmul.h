// Products of bf16 matrices by the processor's tile or vector instructions (oneDNN's micro-kernels,
// through ATen), at the speed of packed weights without a packed copy: each block of the right
// operand is packed in cache on its way to the product.
#pragma once

#include <torch/types.h>

#include <functional>
#include <vector>

namespace prefixmem::trainer::cpu {

// Whether this processor multiplies bf16; the caller's operations do without where it does not.
bool multiplies_bf16();

// Whether multiply() takes a left operand of `rows` × `depth`.
bool multiplies(const torch::Tensor& x, int64_t rows, int64_t depth);

// a bf16 [batch, m, k], its rows without gaps; b bf16 [batch, k, n], its rows or its columns
// without gaps. m >= kLeastRows and k even; or b has fewer rows than a has columns, and a is zero
// there.
struct Term {
  torch::Tensor a, b;
};

// out = Σ a b + bias for each of a batch: out [batch, m, n], its rows without gaps, in bf16, or of
// a single term in fp32; bias fp32 [n] or undefined, for bf16 alone.
struct Product {
  std::vector<Term> terms;
  torch::Tensor out, bias;
};

// All products at once, shared out over the threads. Sums are fp32, rounded once. The bits do not
// depend on the number of threads.
void multiply(const std::vector<Product>& products);

// parallel_tasks() of tasks that use the micro-kernels; one thread alone where all of them make few
// multiplications.
void parallel_products(int64_t count, int64_t multiplications,
                       const std::function<void(int64_t)>& body);

constexpr int64_t kLeastRows = 16;

}  // namespace prefixmem::trainer::cpu
