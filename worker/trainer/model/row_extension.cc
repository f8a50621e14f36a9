#include "worker/trainer/model/row_extension.h"

#include <ATen/ATen.h>

#include "worker/trainer/ops/attention.h"

namespace prefixmem::trainer {

RowExtension::RowExtension(const std::vector<RowCache*>& caches,
                           const std::vector<std::vector<int32_t>>& tokens, torch::Device device)
    : device_(device) {
  std::vector<int64_t> stream, positions, last;
  for (size_t i = 0; i < caches.size(); ++i) {
    const auto begin = static_cast<int64_t>(stream.size());
    const auto count = static_cast<int64_t>(tokens[i].size());
    stream.insert(stream.end(), tokens[i].begin(), tokens[i].end());
    for (int64_t t = 0; t < count; ++t) positions.push_back(caches[i]->length + t);
    last.push_back(begin + count - 1);
    rows_.push_back({caches[i], begin, count, {}});
  }
  tokens_ = at::tensor(stream, at::kLong).to(device);
  positions_ = at::tensor(positions, at::kLong).to(device);
  last_ = at::tensor(last, at::kLong).to(device);
}

const AttentionPlan& RowExtension::plan_of(Row& row, int64_t window) const {
  auto known = row.plans.find(window);
  if (known == row.plans.end()) {
    known = row.plans.emplace(window, plan_extension(row.cache->length, row.count, window, device_))
                .first;
  }
  return known->second;
}

torch::Tensor RowExtension::attend(int64_t layer, const torch::Tensor& query,
                                   const torch::Tensor& key, const torch::Tensor& value,
                                   int64_t window, double scale) {
  std::vector<torch::Tensor> parts;
  for (Row& row : rows_) {
    const auto own = [&](const torch::Tensor& x) { return x.narrow(0, row.begin, row.count); };
    row.cache->write(layer, own(key), own(value));
    const int64_t end = row.cache->length + row.count;
    parts.push_back(attention(own(query), row.cache->keys(layer, end),
                              row.cache->values(layer, end), plan_of(row, window), scale));
  }
  return parts.size() == 1 ? parts.front() : at::cat(parts);
}

void RowExtension::finish() {
  for (const Row& row : rows_) row.cache->length += row.count;
}

}  // namespace prefixmem::trainer
