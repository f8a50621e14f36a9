// Rotary position embedding, arXiv 2104.09864, in the half-split layout of Hugging Face models.
#pragma once

#include <torch/types.h>

#include <vector>

namespace prefixmem::trainer {

// fp32 [T, 1, head_dim / 2], so that they broadcast over heads.
struct RotaryTables {
  torch::Tensor cos, sin;
};

// positions int64 [T]; inverse_frequency fp32 [head_dim / 2]; both tables times `factor`.
RotaryTables rotary_tables(const torch::Tensor& positions, const torch::Tensor& inverse_frequency,
                           double factor);

// Rotates x [T, heads, head_dim] in fp32 and rounds once to its dtype; keeps nothing but the
// tables.
torch::Tensor rotate(const torch::Tensor& x, const RotaryTables& tables);

}  // namespace prefixmem::trainer
