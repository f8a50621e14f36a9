// PrefixMemory, arXiv 2506.13674: attention output plus M^T phi(q), one M for each query head, zero
// at first so that step 0 is the base model.
#pragma once

#include <memory>
#include <vector>

#include "worker/trainer/adapters/adapter.h"

namespace prefixmem::trainer {

// Scope head: the term joins the attention output before o_proj, q after rotary or (pre_rope)
// before it. Files: model.layers.{i}.self_attn.prefix_memory.M, fp32 [heads, features, head_dim],
// and under mlp .W [heads, features, head_dim] and .b [heads, features].
// Scope hidden: the term is M^T phi(x), x the normed input of the attention block, and joins its
// output after o_proj. Files: model.layers.{i}.prefix_memory.M [features, hidden], .W [features,
// hidden] and .b [features].
// adapter_config.json has "method": "prefix_memory" and says which of these it is.
class PrefixMemoryAdapter final : public Adapter {
 public:
  // W and b uniform in ±1 / sqrt(width of phi's input) from (seed, name), as torch's Linear.
  // INVALID_ARGUMENT where method.layers names a layer that the model lacks.
  static Result<std::unique_ptr<PrefixMemoryAdapter>> make(const PrefixMemoryMethod& method,
                                                           const AdapterContext& context);

  int64_t first_layer() const override { return layers_.front(); }
  torch::Tensor attention_delta(int64_t layer, const Queries& queries) override;
  torch::Tensor block_delta(int64_t layer, const torch::Tensor& x) override;
  std::vector<Parameter>& parameters() override { return parameters_; }
  Status save(const std::filesystem::path& folder, const std::string& base_model) const override;
  // Refuses a folder of other settings. One that lacks feature_dim, scope or layers is of a time
  // when there was an M [heads, head_dim, head_dim] in every layer.
  Status load(const std::filesystem::path& folder) override;

 private:
  PrefixMemoryAdapter(const PrefixMemoryMethod& method, const ModelConfig& model,
                      std::vector<int64_t> layers);
  void add_layer(int64_t layer, const AdapterContext& context);
  // M^T phi(x); x [T, heads, width] or [T, width], as the scope has it.
  torch::Tensor term(int64_t layer, const torch::Tensor& x);

  bool per_head() const { return method_.scope == PrefixMemoryMethod::Scope::kHead; }
  bool has_weights() const { return method_.feature_map == PrefixMemoryMethod::FeatureMap::kMlp; }

  const PrefixMemoryMethod method_;
  const std::vector<int64_t> layers_;  // in order, at least one
  const int64_t layer_count_;          // of the model
  const int64_t width_;                // of phi's input
  const int64_t features_;             // rows of M
  std::vector<int64_t> at_;            // by layer: index of M, or -1
  std::vector<Parameter> parameters_;  // M, or M, W, b, of each of layers_
};

}  // namespace prefixmem::trainer
