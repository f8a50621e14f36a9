// The weights of a GGUF file as a Hugging Face folder would hold them.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "worker/trainer/model/gguf_file.h"
#include "worker/trainer/model/weight_source.h"

namespace prefixmem::trainer {

// Undoes what converting to GGUF changes: names; the order of rows within each head of llama's
// query and key maps, whose halves are interleaved there; the 1 added to gemma's norms.
class GgufWeights final : public WeightSource {
 public:
  GgufWeights(GgufFile file, const ModelConfig& config) : file_(std::move(file)), config_(config) {}

  Result<torch::Tensor> take(const std::string& name, const std::vector<int64_t>& shape,
                             torch::Dtype dtype) override;
  Status finish() const override;

 private:
  const GgufFile file_;
  const ModelConfig config_;
  std::set<std::string> taken_;
};

}  // namespace prefixmem::trainer
