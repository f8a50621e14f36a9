#include "worker/trainer/data/dropout_keys.h"

#include <ATen/ATen.h>

#include "common/random.h"

namespace prefixmem::trainer {

torch::Tensor dropout_keys(const RaggedBatch& batch, const std::vector<int64_t>& rows,
                           uint64_t seed, int64_t step) {
  torch::Tensor keys = at::empty({batch.token_count()}, at::kLong);
  auto* const data = keys.mutable_data_ptr<int64_t>();
  const uint64_t stream = text_key("dropout");
  for (size_t i = 0; i < batch.segments.size(); ++i) {
    const Segment& segment = batch.segments[i];
    const uint64_t row =
        random_bits({seed, stream, static_cast<uint64_t>(step), static_cast<uint64_t>(rows[i])});
    for (int64_t t = 0; t < segment.length; ++t) {
      const auto position = static_cast<uint64_t>(segment.position + t);
      data[segment.begin + t] = static_cast<int64_t>(random_bits({row, position}));
    }
  }
  return keys;
}

}  // namespace prefixmem::trainer
