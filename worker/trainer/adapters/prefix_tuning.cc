#include "worker/trainer/adapters/prefix_tuning.h"

#include <ATen/ATen.h>
#include <torch/autograd.h>

#include <cmath>

#include "worker/trainer/adapters/initial_values.h"
#include "worker/trainer/data/encode.h"
#include "worker/trainer/model/decoder.h"
#include "worker/trainer/model/row_cache.h"

namespace prefixmem::trainer {
namespace {

enum Projection { kEmbedding, kInWeight, kInBias, kOutWeight, kOutBias };

}  // namespace

Result<std::unique_ptr<PrefixTuningAdapter>> PrefixTuningAdapter::make(
    const PrefixTuningMethod& method, const AdapterContext& context) {
  const int64_t positions = context.model.max_position_embeddings;
  if (method.num_virtual_tokens >= positions) {
    return invalid_argument("method.num_virtual_tokens is " +
                            std::to_string(method.num_virtual_tokens) + "; allowed: below " +
                            std::to_string(positions) + ", the model's max_position_embeddings");
  }
  std::unique_ptr<PrefixTuningAdapter> adapter(new PrefixTuningAdapter(method, context.model));
  if (method.prefix_projection) {
    adapter->add_projection(context);
  } else {
    PM_TRY(adapter->add_plain(context));
  }
  return adapter;
}

PrefixTuningAdapter::PrefixTuningAdapter(const PrefixTuningMethod& method, const ModelConfig& model)
    : method_(method),
      sizes_{model.num_layers, model.num_key_value_heads, model.head_dim},
      inner_(method.encoder_hidden_size > 0 ? method.encoder_hidden_size : model.hidden_size) {}

void PrefixTuningAdapter::add(const std::string& name, const torch::Tensor& value,
                              torch::Device device) {
  parameters_.push_back({name, value.to(device).requires_grad_()});
}

Status PrefixTuningAdapter::add_plain(const AdapterContext& context) {
  using Init = PrefixTuningMethod::Init;
  const std::string name = "prompt_embeddings";
  torch::Tensor values;
  if (method_.init_weights == Init::kText) {
    PM_ASSIGN(values, computed_from_text(context));
  } else if (method_.init_weights == Init::kZero) {
    values = at::zeros({method_.num_virtual_tokens, sizes_.flat()}, at::kFloat);
  } else {
    values = normal_values({method_.num_virtual_tokens, sizes_.flat()}, 1, context.seed, name);
  }
  add(name, values, context.device);
  return {};
}

void PrefixTuningAdapter::add_projection(const AdapterContext& context) {
  const std::string embedding = "prompt_encoder.embedding.weight";
  const auto linear = [&](const std::string& name, int64_t out, int64_t in) {
    const double bound = 1 / std::sqrt(static_cast<double>(in));
    for (const auto& [part, shape] : {std::pair(".weight", std::vector<int64_t>{out, in}),
                                      std::pair(".bias", std::vector<int64_t>{out})}) {
      add(name + part, uniform_values(shape, bound, context.seed, name + part), context.device);
    }
  };
  add(embedding,
      normal_values({method_.num_virtual_tokens, sizes_.token()}, 1, context.seed, embedding),
      context.device);
  linear("prompt_encoder.transform.0", inner_, sizes_.token());
  linear("prompt_encoder.transform.2", sizes_.flat(), inner_);
}

Result<torch::Tensor> PrefixTuningAdapter::computed_from_text(const AdapterContext& context) const {
  const int64_t count = method_.num_virtual_tokens;
  if (context.decoder == nullptr || context.codec == nullptr) {
    return failed_precondition("method.init_weights is text, but there is no model to read it");
  }
  PM_ASSIGN(std::vector<int32_t> ids, context.codec->encode(method_.init_text, true));
  if (static_cast<int64_t>(ids.size()) < count) {
    return invalid_argument("method.init_text has " + std::to_string(ids.size()) +
                            " tokens; allowed: at least " + std::to_string(count) +
                            ", which is method.num_virtual_tokens");
  }
  ids.resize(count);
  const auto cache = context.decoder->new_cache();
  context.decoder->extend(*cache, ids, nullptr);
  std::vector<torch::Tensor> parts;
  for (int64_t layer = 0; layer < sizes_.layers; ++layer) {
    parts.push_back(cache->keys(layer, count).flatten(1));
    parts.push_back(cache->values(layer, count).flatten(1));
  }
  return at::cat(parts, 1).to(at::kFloat);
}

torch::Tensor PrefixTuningAdapter::flattened() const {
  const auto value = [&](int which) -> const torch::Tensor& { return parameters_[which].value; };
  if (!method_.prefix_projection) return value(0);
  const torch::Tensor inner =
      at::linear(value(kEmbedding), value(kInWeight), value(kInBias)).tanh();
  return at::linear(inner, value(kOutWeight), value(kOutBias));
}

std::vector<Prefix> PrefixTuningAdapter::prefix(torch::Dtype dtype) {
  const auto parts =
      flattened()
          .to(dtype)
          .view({method_.num_virtual_tokens, 2 * sizes_.layers, sizes_.key_heads, sizes_.head_dim})
          .unbind(1);
  std::vector<Prefix> layers;
  for (size_t i = 0; i < parts.size(); i += 2) layers.push_back({parts[i], parts[i + 1]});
  return layers;
}

}  // namespace prefixmem::trainer
