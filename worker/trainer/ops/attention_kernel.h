// Attention of one dense piece, by the kernels that LibTorch has for each device.
#pragma once

#include <torch/types.h>

namespace prefixmem::trainer {

// All tensors [1, heads, tokens, d]; mask fp32 [queries, keys] or undefined.
struct AttentionPiece {
  torch::Tensor query, key, value, mask;
  bool causal = false;
  double scale = 1;
};

struct AttentionOutput {
  torch::Tensor out;         // as query
  torch::Tensor normaliser;  // fp32 [1, heads, tokens]: log of the softmax's denominator
};

struct AttentionGradients {
  torch::Tensor query, key, value;
};

AttentionOutput attend(const AttentionPiece& piece);
AttentionGradients attend_backward(const AttentionPiece& piece, const AttentionOutput& output,
                                   const torch::Tensor& gradient);

}  // namespace prefixmem::trainer
