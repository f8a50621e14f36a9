#include "worker/trainer/model/row_cache.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

namespace prefixmem::trainer {
namespace {

constexpr int64_t kFirstCapacity = 256;

void write_rows(torch::Tensor& buffer, int64_t begin, const torch::Tensor& rows) {
  const int64_t needed = begin + rows.size(0);
  const int64_t capacity = buffer.defined() ? buffer.size(0) : 0;
  if (needed > capacity) {
    const int64_t larger = std::max({needed, 2 * capacity, kFirstCapacity});
    torch::Tensor grown = at::empty({larger, rows.size(1), rows.size(2)}, rows.options());
    if (begin > 0) grown.narrow(0, 0, begin).copy_(buffer.narrow(0, 0, begin));
    buffer = std::move(grown);
  }
  buffer.narrow(0, begin, rows.size(0)).copy_(rows);
}

}  // namespace

RowCache RowCache::copy() const {
  RowCache other(static_cast<int64_t>(layers.size()));
  other.length = length;
  for (size_t i = 0; i < layers.size() && length > 0; ++i) {
    const auto layer = static_cast<int64_t>(i);
    other.layers[i] = {keys(layer, length).clone(), values(layer, length).clone()};
  }
  return other;
}

void RowCache::write(int64_t layer, const torch::Tensor& keys, const torch::Tensor& values) {
  write_rows(layers[layer].keys, length, keys);
  write_rows(layers[layer].values, length, values);
}

torch::Tensor RowCache::keys(int64_t layer, int64_t count) const {
  return layers[layer].keys.narrow(0, 0, count);
}

torch::Tensor RowCache::values(int64_t layer, int64_t count) const {
  return layers[layer].values.narrow(0, 0, count);
}

}  // namespace prefixmem::trainer
