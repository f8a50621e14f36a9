// The attention map of one head and row, written out: softmax(scale · q k^T) in fp64.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace prefixmem::trainer {

// T tokens behind a prefix of p. Each row of a map sums to 1.
struct AttentionMap {
  torch::Tensor whole;        // [T, p + T], over prefix and input
  torch::Tensor input;        // [T, T], the softmax over the input alone
  torch::Tensor prefix_mass;  // [T], the share alpha_i of the softmax that is on the prefix
};

// `query` [T, d], `key` [p + T, d], the prefix first; both rotated. `window`: tokens that a token
// sees, itself included, 0: all before it; a prefix's tokens are at positions 0 … p-1.
AttentionMap attention_map(const torch::Tensor& query, const torch::Tensor& key, int64_t window,
                           double scale);

// Total variation of two maps [T, keys] at each position, 1/2 sum_j |a_ij - b_ij|: [T], 0 … 1.
torch::Tensor total_variation(const torch::Tensor& a, const torch::Tensor& b);

}  // namespace prefixmem::trainer
