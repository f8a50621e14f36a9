#include "worker/trainer/adapters/prefix_memory.h"

#include <ATen/ATen.h>

#include <cmath>

#include "common/spec/layer_list.h"
#include "worker/trainer/adapters/initial_values.h"
#include "worker/trainer/ops/feature_memory.h"

namespace prefixmem::trainer {

Result<std::unique_ptr<PrefixMemoryAdapter>> PrefixMemoryAdapter::make(
    const PrefixMemoryMethod& method, const AdapterContext& context) {
  auto layers = spec::select_layers(method.layers, context.model.num_layers);
  if (!layers.ok()) return layers.status().with_context("method.layers");
  std::unique_ptr<PrefixMemoryAdapter> adapter(
      new PrefixMemoryAdapter(method, context.model, std::move(*layers)));
  for (const int64_t layer : adapter->layers_) adapter->add_layer(layer, context);
  return adapter;
}

PrefixMemoryAdapter::PrefixMemoryAdapter(const PrefixMemoryMethod& method, const ModelConfig& model,
                                         std::vector<int64_t> layers)
    : method_(method),
      layers_(std::move(layers)),
      layer_count_(model.num_layers),
      width_(per_head() ? model.head_dim : model.hidden_size),
      features_(method.feature_dim > 0 ? method.feature_dim : width_),
      at_(model.num_layers, -1) {}

void PrefixMemoryAdapter::add_layer(int64_t layer, const AdapterContext& context) {
  const std::string name = "model.layers." + std::to_string(layer) +
                           (per_head() ? ".self_attn.prefix_memory." : ".prefix_memory.");
  const auto add = [&](const std::string& key, const torch::Tensor& value, double ratio) {
    parameters_.push_back({name + key, value.to(context.device).requires_grad_(), ratio});
  };
  std::vector<int64_t> rows{features_};
  if (per_head()) rows.insert(rows.begin(), context.model.num_attention_heads);
  std::vector<int64_t> matrix = rows;
  matrix.push_back(width_);

  at_[layer] = static_cast<int64_t>(parameters_.size());
  add("M", at::zeros(matrix, at::kFloat), 1);
  if (!has_weights()) return;
  const double bound = 1 / std::sqrt(static_cast<double>(width_));
  const auto drawn = [&](const std::string& key, const std::vector<int64_t>& shape) {
    add(key, uniform_values(shape, bound, context.seed, name + key), method_.feature_lr_ratio);
  };
  drawn("W", matrix);
  drawn("b", rows);
}

torch::Tensor PrefixMemoryAdapter::attention_delta(int64_t layer, const Queries& queries) {
  if (!per_head()) return {};
  const bool after = method_.query == PrefixMemoryMethod::Query::kPostRope;
  return term(layer, after ? queries.after_rotary : queries.before_rotary);
}

torch::Tensor PrefixMemoryAdapter::block_delta(int64_t layer, const torch::Tensor& x) {
  return per_head() ? torch::Tensor() : term(layer, x);
}

torch::Tensor PrefixMemoryAdapter::term(int64_t layer, const torch::Tensor& x) {
  const int64_t at = at_[layer];
  if (at < 0) return {};
  const auto by_head = [&](int64_t which) {
    const torch::Tensor& value = parameters_[at + which].value;
    return per_head() ? value : value.unsqueeze(0);
  };
  FeatureWeights weights;
  if (has_weights()) weights = {by_head(1), by_head(2)};
  const torch::Tensor input = per_head() ? x : x.unsqueeze(1);
  const torch::Tensor out = feature_memory(input, by_head(0), method_.feature_map, weights);
  return per_head() ? out : out.squeeze(1);
}

}  // namespace prefixmem::trainer
