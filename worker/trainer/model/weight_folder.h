// The weights of a Hugging Face folder: model.safetensors, or the shards that
// model.safetensors.index.json names.
#pragma once

#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/status.h"
#include "worker/trainer/model/safetensors.h"
#include "worker/trainer/model/weight_source.h"

namespace prefixmem::trainer {

class WeightFolder final : public WeightSource {
 public:
  // Maps every file. Errors, each with the file: NOT_FOUND (folder, weights or a shard), DATA_LOSS
  // (a damaged file or index, an index that points outside the folder).
  static Result<WeightFolder> open(const std::filesystem::path& folder);

  bool contains(const std::string& name) const { return file_of_.count(name) > 0; }

  // A view of the file, F32, BF16 or F16, not to be written. DATA_LOSS where the tensor is missing,
  // of another shape or of another type.
  Result<torch::Tensor> take(const std::string& name, const std::vector<int64_t>& shape) const;
  Result<torch::Tensor> take(const std::string& name, const std::vector<int64_t>& shape,
                             torch::Dtype dtype) override;
  // Whatever is left is ignored, as transformers does.
  Status finish() const override { return {}; }

 private:
  Status open_single(const std::filesystem::path& file);
  Status open_shards(const std::filesystem::path& index);

  std::filesystem::path folder_;
  std::vector<SafetensorsFile> files_;
  std::vector<std::filesystem::path> paths_;  // of files_
  std::map<std::string, size_t> file_of_;     // by tensor
};

}  // namespace prefixmem::trainer
