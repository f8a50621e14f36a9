// Where the tensors of a model come from.
#pragma once

#include <torch/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/model/config.h"
#include "common/status.h"

namespace prefixmem::trainer {

// Tensors by their Hugging Face names, as a Hugging Face folder would hold them.
class WeightSource {
 public:
  virtual ~WeightSource() = default;

  // On the CPU in `dtype`; not to be written, as it may be a view of the file. DATA_LOSS where the
  // tensor is missing or of another shape; DATA_LOSS or INVALID_ARGUMENT where it is of a type that
  // cannot be read.
  virtual Result<torch::Tensor> take(const std::string& name, const std::vector<int64_t>& shape,
                                     torch::Dtype dtype) = 0;

  // Once everything is taken. INVALID_ARGUMENT where what is left belongs to another kind of model.
  virtual Status finish() const = 0;
};

// `model`: see find_model. Errors: its own; NOT_FOUND, DATA_LOSS (a damaged file).
Result<std::unique_ptr<WeightSource>> open_weights(const std::filesystem::path& model,
                                                   const ModelConfig& config);

}  // namespace prefixmem::trainer
