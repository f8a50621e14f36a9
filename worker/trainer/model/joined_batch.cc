#include "worker/trainer/model/joined_batch.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace prefixmem::trainer {
namespace {

using Batches = std::vector<const RaggedBatch*>;

template <class Part>
torch::Tensor join(const Batches& batches, const Part& part) {
  std::vector<torch::Tensor> parts;
  for (const RaggedBatch* batch : batches) parts.push_back(part(*batch));
  return at::cat(parts);
}

bool has_keys(const RaggedBatch* batch) { return batch->dropout_keys.defined(); }

}  // namespace

RaggedBatch join_batches(const Batches& batches) {
  if (batches.size() == 1) return *batches.front();
  RaggedBatch joined;
  int64_t begin = 0;
  std::vector<torch::Tensor> sources;
  for (const RaggedBatch* batch : batches) {
    const auto first = static_cast<int32_t>(joined.segments.size());
    for (Segment segment : batch->segments) {
      segment.begin += begin;
      if (segment.parent >= 0) segment.parent += first;
      joined.segments.push_back(segment);
    }
    sources.push_back(batch->label_sources + begin);
    begin += batch->token_count();
  }
  joined.tokens = join(batches, [](const RaggedBatch& batch) { return batch.tokens; });
  joined.positions = join(batches, [](const RaggedBatch& batch) { return batch.positions; });
  joined.label_sources = at::cat(sources);
  joined.label_ids = join(batches, [](const RaggedBatch& batch) { return batch.label_ids; });
  if (std::any_of(batches.begin(), batches.end(), has_keys)) {
    joined.dropout_keys = join(batches, [](const RaggedBatch& batch) {
      return has_keys(&batch) ? batch.dropout_keys : at::zeros_like(batch.tokens);
    });
  }
  return joined;
}

}  // namespace prefixmem::trainer
