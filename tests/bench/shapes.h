// Decoders of real shapes with random weights.
#pragma once

#include <torch/utils.h>

#include <cmath>

#include "tests/unit/trainer/made_weights.h"

namespace prefixmem::trainer {

// Gemma 3 270M.
inline ModelConfig gemma_shape() {
  ModelConfig config;
  config.hidden_size = 640;
  config.intermediate_size = 2048;
  config.num_layers = 18;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 1;
  config.head_dim = 256;
  config.vocab_size = 262144;
  config.rms_norm_eps = 1e-6;
  config.norm_offset = 1;
  config.activation = Activation::kGeluTanh;
  config.embedding_scale = std::sqrt(640.0);
  config.attention_scale = 1.0 / 16;
  config.qk_norm = config.sandwich_norms = config.tie_word_embeddings = true;
  config.ropes = {plain_rope(256, 1e6), plain_rope(256, 1e4)};
  for (int64_t i = 1; i <= config.num_layers; ++i) {
    config.layers.push_back(i % 6 == 0 ? LayerConfig{0, 0} : LayerConfig{512, 1});
  }
  return config;
}

// Qwen2.5-0.5B.
inline ModelConfig qwen_shape() {
  ModelConfig config;
  config.hidden_size = 896;
  config.intermediate_size = 4864;
  config.num_layers = 24;
  config.num_attention_heads = 14;
  config.num_key_value_heads = 2;
  config.head_dim = 64;
  config.vocab_size = 151936;
  config.rms_norm_eps = 1e-6;
  config.attention_scale = 1.0 / 8;
  config.activation = Activation::kSilu;
  config.qkv_bias = config.tie_word_embeddings = true;
  config.ropes = {plain_rope(64, 1e6)};
  config.layers.resize(config.num_layers);
  return config;
}

// In bf16, norms in fp32.
inline ModelWeights random_weights(const ModelConfig& config) {
  torch::manual_seed(1);
  const auto matrix = [](int64_t out, int64_t in) {
    return (torch::randn({out, in}) / std::sqrt(static_cast<double>(in))).to(torch::kBFloat16);
  };
  const auto scale = [&](int64_t n) { return torch::full({n}, 1 - config.norm_offset); };
  const auto bias = [](int64_t n) { return torch::zeros({n}, torch::kBFloat16); };
  return make_weights(config, {matrix, scale, bias});
}

}  // namespace prefixmem::trainer
