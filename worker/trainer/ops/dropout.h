// Dropout whose mask depends on keys alone, so that it is the same however rows are batched.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace prefixmem::trainer {

// x / (1 - p) where an element is kept, 0 where it is dropped, in x's dtype; x [T, n]. Element
// (t, j) is dropped where 32 random bits, a function of (keys[t], place, j), are below p · 2^32.
// keys: a random number of each token, int64 [T]. place: a random number of what x is the input of.
// 0 <= p < 1. Keeps nothing but the keys: the backward draws the mask again.
torch::Tensor dropout(const torch::Tensor& x, const torch::Tensor& keys, uint64_t place, double p);

}  // namespace prefixmem::trainer
