// Weights for any ModelConfig, made by a test or a bench.
#pragma once

#include <torch/types.h>

#include <cmath>
#include <functional>

#include "worker/trainer/model/transformer.h"

namespace prefixmem::trainer {

inline Rope plain_rope(int64_t head_dim, double theta) {
  Rope rope;
  for (int64_t i = 0; i < head_dim; i += 2) {
    rope.inv_freq.push_back(
        std::pow(theta, -static_cast<double>(i) / static_cast<double>(head_dim)));
  }
  return rope;
}

struct WeightMaker {
  std::function<torch::Tensor(int64_t out, int64_t in)> matrix;
  std::function<torch::Tensor(int64_t n)> scale, bias;  // of norms; of linear maps
};

inline LayerWeights make_layer(const ModelConfig& config, const WeightMaker& make) {
  LayerWeights layer;
  layer.before_attention = make.scale(config.hidden_size);
  layer.before_mlp = make.scale(config.hidden_size);
  if (config.sandwich_norms) {
    layer.after_attention = layer.after_mlp = make.scale(config.hidden_size);
  }
  if (config.qk_norm) layer.query_norm = layer.key_norm = make.scale(config.head_dim);
  const auto set = [&](Site site, int64_t out, int64_t in, bool bias = false) {
    layer.linear[static_cast<size_t>(site)] = {make.matrix(out, in),
                                               bias ? make.bias(out) : torch::Tensor()};
  };
  set(Site::kQ, config.query_size(), config.hidden_size, config.qkv_bias);
  set(Site::kK, config.key_value_size(), config.hidden_size, config.qkv_bias);
  set(Site::kV, config.key_value_size(), config.hidden_size, config.qkv_bias);
  set(Site::kO, config.hidden_size, config.query_size());
  set(Site::kGate, config.intermediate_size, config.hidden_size);
  set(Site::kUp, config.intermediate_size, config.hidden_size);
  set(Site::kDown, config.hidden_size, config.intermediate_size);
  return layer;
}

inline ModelWeights make_weights(const ModelConfig& config, const WeightMaker& make) {
  ModelWeights weights;
  weights.embedding = make.matrix(config.vocab_size, config.hidden_size);
  weights.head = config.tie_word_embeddings ? weights.embedding
                                            : make.matrix(config.vocab_size, config.hidden_size);
  weights.final_norm = make.scale(config.hidden_size);
  for (int64_t i = 0; i < config.num_layers; ++i) {
    weights.layers.push_back(make_layer(config, make));
  }
  return weights;
}

}  // namespace prefixmem::trainer
