// Writes the weights of a Hugging Face folder: model.safetensors, or shards with their index.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "worker/trainer/model/safetensors_writer.h"

namespace prefixmem::trainer {

class WeightFolderWriter {
 public:
  static constexpr int64_t kShardBytes = 5'000'000'000;

  // Into an existing folder. A shard holds at most `shard_bytes`, a larger tensor goes alone.
  WeightFolderWriter(std::filesystem::path folder, std::vector<TensorShape> tensors,
                     int64_t shard_bytes = kShardBytes);

  // The next tensor, of its dtype, on any device.
  Status append(const torch::Tensor& whole);
  // After the last: writes the index, where there is one.
  Status finish();

 private:
  struct Shard {
    std::string file;
    std::vector<TensorShape> tensors;
  };
  Status finish_index() const;

  const std::filesystem::path folder_;
  std::vector<Shard> shards_;
  std::optional<SafetensorsWriter> writer_;  // of the shard at hand
  size_t shard_ = 0, in_shard_ = 0;          // where the next tensor goes
};

}  // namespace prefixmem::trainer
