// PrefixMemory, arXiv 2506.13674: attention output plus M^T elu(q), one M for each query head and
// layer, zero at first so that step 0 is the base model.
#pragma once

#include <vector>

#include "worker/trainer/adapters/adapter.h"

namespace prefixmem::trainer {

// Files: model.layers.{i}.self_attn.prefix_memory.M, fp32 [heads, head_dim, head_dim], and a config
// with "method": "prefix_memory".
class PrefixMemoryAdapter final : public Adapter {
 public:
  PrefixMemoryAdapter(const ModelConfig& model, torch::Device device);

  int64_t first_layer() const override { return 0; }
  torch::Tensor attention_delta(int64_t layer, const Queries& queries) override;
  std::vector<Parameter>& parameters() override { return parameters_; }
  Status save(const std::filesystem::path& folder, const std::string& base_model) const override;
  Status load(const std::filesystem::path& folder) override;

 private:
  std::vector<Parameter> parameters_;  // M of each layer
};

}  // namespace prefixmem::trainer
