// Weight-decomposed low-rank adaptation, arXiv 2402.09353, as PEFT computes it: the direction
// W + s B A of a frozen map is scaled row by row to trained magnitudes m.
#pragma once

#include <torch/types.h>

namespace prefixmem::trainer {

// Norms of the rows of W + scale · B A, fp32 [out], outside any graph: the method takes them for
// constants. W [out, in] of any float type, B fp32 [out, r], A fp32 [r, in]. Holds a few rows of
// the sum at once.
torch::Tensor dora_norms(const torch::Tensor& weight, const torch::Tensor& b,
                         const torch::Tensor& a, double scale);

// What to add to W x: update + excess · (base + update), where base = W x and update = s B A x,
// [T, out] in the same dtype, and excess = m / norms - 1, fp32 [out] (or double beside doubles).
// The gradient of excess is summed in its own dtype. Keeps base + update and excess.
torch::Tensor dora_delta(const torch::Tensor& base, const torch::Tensor& update,
                         const torch::Tensor& excess);

}  // namespace prefixmem::trainer
