// Small random decoders that exercise every switch of ModelConfig.
#pragma once

#include <torch/utils.h>

#include <memory>

#include "tests/unit/trainer/made_weights.h"
#include "worker/trainer/model/transformer.h"

namespace prefixmem::trainer {

// Grouped queries; `gemma` adds windows on even layers, query and key norms, sandwich norms and a
// scaled, tied embedding; otherwise biases.
inline ModelConfig tiny_config(bool gemma) {
  ModelConfig config;
  config.hidden_size = 16;
  config.intermediate_size = 24;
  config.num_layers = 3;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 8;
  config.vocab_size = 40;
  config.max_position_embeddings = 4096;
  config.rms_norm_eps = 1e-6;
  config.attention_scale = 0.3;
  config.activation = gemma ? Activation::kGeluTanh : Activation::kSilu;
  config.qk_norm = config.sandwich_norms = config.tie_word_embeddings = gemma;
  config.embedding_scale = gemma ? 4 : 1;
  config.qkv_bias = !gemma;
  config.ropes = {plain_rope(8, 10000), plain_rope(8, 100)};
  for (int64_t i = 0; i < config.num_layers; ++i) {
    config.layers.push_back(gemma && i % 2 == 0 ? LayerConfig{5, 1} : LayerConfig{0, 0});
  }
  return config;
}

inline ModelWeights tiny_weights(const ModelConfig& config) {
  torch::manual_seed(11);
  return make_weights(config,
                      {[](int64_t out, int64_t in) { return torch::randn({out, in}) * 0.3; },
                       [](int64_t n) { return 1 + torch::randn({n}) * 0.1; },
                       [](int64_t n) { return torch::randn({n}); }});
}

inline std::unique_ptr<Transformer> tiny_transformer(bool gemma) {
  const ModelConfig config = tiny_config(gemma);
  return std::make_unique<Transformer>(config, DecoderOptions{.dtype = torch::kFloat32},
                                       tiny_weights(config));
}

// Touches every hook: adds a trained matrix after each query projection and to the attention
// output.
class TinyAdapter : public Adapter {
 public:
  explicit TinyAdapter(const ModelConfig& config, int64_t first = 0) : first_(first) {
    torch::manual_seed(5);
    parameters_.push_back(
        {"q", (torch::randn({config.hidden_size, config.query_size()}) * 0.1).requires_grad_()});
    parameters_.push_back(
        {"a", (torch::randn({config.head_dim, config.head_dim}) * 0.1).requires_grad_()});
  }
  int64_t first_layer() const override { return first_; }
  torch::Tensor linear_delta(const LinearCall& call) override {
    const bool here = call.layer >= first_ && call.site == Site::kQ;
    return here ? call.x.matmul(parameters_[0].value) : torch::Tensor();
  }
  torch::Tensor attention_delta(int64_t layer, const Queries& queries) override {
    return layer >= first_ ? queries.after_rotary.matmul(parameters_[1].value) : torch::Tensor();
  }
  std::vector<Parameter>& parameters() override { return parameters_; }
  Status save(const std::filesystem::path&, const std::string&) const override { return {}; }
  Status load(const std::filesystem::path&) override { return {}; }

 private:
  const int64_t first_;
  std::vector<Parameter> parameters_;
};

}  // namespace prefixmem::trainer
