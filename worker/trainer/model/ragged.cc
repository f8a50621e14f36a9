#include "worker/trainer/model/ragged.h"

#include <ATen/ATen.h>

#include <utility>

namespace prefixmem::trainer {

RaggedBatch RaggedBatch::to(torch::Device device) const {
  return {tokens.to(device),
          positions.to(device),
          segments,
          label_sources.to(device),
          label_ids.to(device),
          dropout_keys.defined() ? dropout_keys.to(device) : dropout_keys,
          first_segment};
}

RaggedBuilder::RaggedBuilder(std::vector<Segment> before)
    : segments_(std::move(before)), first_segment_(static_cast<int64_t>(segments_.size())) {
  if (!segments_.empty()) first_token_ = segments_.back().begin + segments_.back().length;
}

int32_t RaggedBuilder::add(const std::vector<int32_t>& tokens, int32_t parent) {
  Segment segment;
  segment.begin = first_token_ + token_count();
  segment.length = static_cast<int64_t>(tokens.size());
  segment.parent = parent;
  if (parent >= 0) segment.position = segments_[parent].position + segments_[parent].length;
  for (int64_t i = 0; i < segment.length; ++i) {
    tokens_.push_back(tokens[i]);
    positions_.push_back(segment.position + i);
  }
  segments_.push_back(segment);
  return static_cast<int32_t>(segments_.size()) - 1;
}

void RaggedBuilder::label(int32_t segment, int64_t offset, int32_t id) {
  const Segment& run = segments_[segment];
  label_sources_.push_back(run.begin - first_token_ + (offset < 0 ? run.length - 1 : offset));
  label_ids_.push_back(id);
}

RaggedBatch RaggedBuilder::build() && {
  RaggedBatch batch;
  batch.tokens = at::tensor(tokens_, at::kLong);
  batch.positions = at::tensor(positions_, at::kLong);
  batch.segments = std::move(segments_);
  batch.first_segment = first_segment_;
  batch.label_sources = at::tensor(label_sources_, at::kLong);
  batch.label_ids = at::tensor(label_ids_, at::kLong);
  return batch;
}

}  // namespace prefixmem::trainer
