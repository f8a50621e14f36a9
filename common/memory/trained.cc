#include "common/memory/trained.h"

#include "common/model/linear_site.h"
#include "common/model/lora_targets.h"
#include "common/spec/layer_list.h"

namespace prefixmem::memory {
namespace {

Count count(int64_t number) { return static_cast<Count>(number); }

Count bias_values(const ModelConfig& model) {
  Count values = 0;
  for (size_t i = 0; i < kSites; ++i) {
    const LinearShape shape = linear_shape(static_cast<Site>(i), model);
    if (shape.bias) values += count(shape.out);
  }
  return values;
}

Result<Count> values_of(const PrefixMemoryMethod& method, const ModelConfig& model) {
  auto layers = spec::select_layers(method.layers, model.num_layers);
  if (!layers.ok()) return layers.status().with_context("method.layers");
  const bool per_head = method.scope == PrefixMemoryMethod::Scope::kHead;
  const Count width = count(per_head ? model.head_dim : model.hidden_size);
  const Count heads = per_head ? count(model.num_attention_heads) : 1;
  const Count features = method.feature_dim > 0 ? count(method.feature_dim) : width;
  const bool weighted = method.feature_map == PrefixMemoryMethod::FeatureMap::kMlp;
  const Count matrix = heads * features * width;
  return static_cast<Count>(layers->size()) * (weighted ? 2 * matrix + heads * features : matrix);
}

Result<Count> values_of(const PrefixTuningMethod& method, const ModelConfig& model) {
  const Count tokens = count(method.num_virtual_tokens), width = count(model.key_value_size());
  const Count flat = count(model.num_layers) * 2 * width;
  if (!method.prefix_projection) return tokens * flat;
  const Count inner =
      count(method.encoder_hidden_size > 0 ? method.encoder_hidden_size : model.hidden_size);
  return tokens * width + inner * (width + 1) + flat * (inner + 1);
}

Result<Count> values_of(const LoraMethod& method, const ModelConfig& model) {
  PM_ASSIGN(const LoraTargets targets, find_lora_targets(method.target_modules, model.num_layers));
  Count values = 0;
  for (const auto& sites : targets) {
    for (size_t i = 0; i < kSites; ++i) {
      const LinearShape shape = linear_shape(static_cast<Site>(i), model);
      const Count out = count(shape.out);
      if (sites[i]) values += count(method.r) * (count(shape.in) + out);
      if (sites[i] && method.use_dora) values += out;
      const bool bias = method.bias == LoraMethod::Bias::kAll ||
                        (method.bias == LoraMethod::Bias::kLoraOnly && sites[i]);
      if (bias && shape.bias) values += out;
    }
  }
  return values;
}

Result<Count> values_of(const FullMethod&, const ModelConfig& model) {
  return weight_values(model);
}

Result<Count> values_of(const CombinedMethod& method, const ModelConfig& model) {
  Count sum = 0;
  for (const AdapterMethod& part : method.methods) {
    PM_ASSIGN(const Count values,
              std::visit([&](const auto& one) { return values_of(one, model); }, part));
    sum += values;
  }
  return sum;
}

Result<Count> values_of(const NoMethod&, const ModelConfig&) { return 0; }

}  // namespace

Count weight_values(const ModelConfig& model) {
  const Count hidden = count(model.hidden_size);
  const Count norms =
      (model.sandwich_norms ? 4 : 2) * hidden + (model.qk_norm ? 2 * count(model.head_dim) : 0);
  const Count vocabulary = count(model.vocab_size) * hidden;
  return (model.tie_word_embeddings ? 1 : 2) * vocabulary + hidden +
         count(model.num_layers) * (layer_map_values(model) + bias_values(model) + norms);
}

Count layer_map_values(const ModelConfig& model) {
  Count values = 0;
  for (size_t i = 0; i < kSites; ++i) {
    const LinearShape shape = linear_shape(static_cast<Site>(i), model);
    values += count(shape.out) * count(shape.in);
  }
  return values;
}

Result<Count> trained_values(const MethodSpec& method, const ModelConfig& model) {
  return std::visit([&](const auto& one) { return values_of(one, model); }, method);
}

}  // namespace prefixmem::memory
