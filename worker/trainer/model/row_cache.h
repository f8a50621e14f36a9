// Keys and values of one row or tree, layer by layer, in buffers that grow by doubling.
#pragma once

#include <torch/types.h>

#include <vector>

#include "worker/trainer/model/decoder.h"

namespace prefixmem::trainer {

struct RowCache {
  struct Layer {
    torch::Tensor keys,
        values;  // [capacity, key heads, head_dim]; undefined before the first token
  };

  explicit RowCache(int64_t layer_count) : layers(layer_count) {}

  // The same row in memory of its own, as long as its tokens are.
  RowCache copy() const;

  // Writes [n, key heads, head_dim] at positions length, length + 1, …; `length` is the caller's to
  // move once every layer has its tokens.
  void write(int64_t layer, const torch::Tensor& keys, const torch::Tensor& values);
  // The first `count` tokens.
  torch::Tensor keys(int64_t layer, int64_t count) const;
  torch::Tensor values(int64_t layer, int64_t count) const;

  int64_t length = 0;  // tokens seen, those of a prefix included
  std::vector<Layer> layers;
};

}  // namespace prefixmem::trainer
