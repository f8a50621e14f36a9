#include "worker/trainer/model/weights.h"

#include <ATen/ATen.h>

#include "worker/trainer/model/weight_source.h"

namespace prefixmem::trainer {
namespace {

class Loader {
 public:
  Loader(WeightSource& source, const ModelConfig& config, const DecoderOptions& options)
      : source_(source), config_(config), options_(options) {}

  Result<ModelWeights> model() const {
    ModelWeights weights;
    const std::vector<int64_t> table = {config_.vocab_size, config_.hidden_size};
    PM_ASSIGN(weights.embedding, tensor("model.embed_tokens.weight", table));
    weights.head = weights.embedding;
    if (!config_.tie_word_embeddings) {
      PM_ASSIGN(weights.head, tensor("lm_head.weight", table));
    }
    PM_ASSIGN(weights.final_norm, norm("model.norm.weight", config_.hidden_size));
    for (int64_t i = 0; i < config_.num_layers; ++i) {
      PM_ASSIGN(LayerWeights read, layer("model.layers." + std::to_string(i) + "."));
      weights.layers.push_back(std::move(read));
    }
    return weights;
  }

 private:
  Result<torch::Tensor> tensor(const std::string& name, const std::vector<int64_t>& shape) const {
    PM_ASSIGN(const torch::Tensor stored, source_.take(name, shape, options_.dtype));
    return stored.to(options_.device);
  }

  Result<torch::Tensor> norm(const std::string& name, int64_t size) const {
    PM_ASSIGN(const torch::Tensor stored, source_.take(name, {size}, at::kFloat));
    return stored.to(options_.device);
  }

  Result<LinearWeights> linear(const std::string& name, int64_t out, int64_t in, bool bias) const {
    LinearWeights weights;
    PM_ASSIGN(weights.weight, tensor(name + ".weight", {out, in}));
    if (bias) {
      PM_ASSIGN(weights.bias, tensor(name + ".bias", {out}));
    }
    return weights;
  }

  Status norms(const std::string& prefix, LayerWeights& layer) const {
    const bool sandwich = config_.sandwich_norms;
    const auto read = [&](const char* name, int64_t size, torch::Tensor& out) -> Status {
      PM_ASSIGN(out, norm(prefix + name + ".weight", size));
      return {};
    };
    PM_TRY(read("input_layernorm", config_.hidden_size, layer.before_attention));
    PM_TRY(read("post_attention_layernorm", config_.hidden_size,
                sandwich ? layer.after_attention : layer.before_mlp));
    if (sandwich) {
      PM_TRY(read("pre_feedforward_layernorm", config_.hidden_size, layer.before_mlp));
      PM_TRY(read("post_feedforward_layernorm", config_.hidden_size, layer.after_mlp));
    }
    if (config_.qk_norm) {
      PM_TRY(read("self_attn.q_norm", config_.head_dim, layer.query_norm));
      PM_TRY(read("self_attn.k_norm", config_.head_dim, layer.key_norm));
    }
    return {};
  }

  Result<LayerWeights> layer(const std::string& prefix) const {
    LayerWeights layer;
    PM_TRY(norms(prefix, layer));
    const auto read = [&](Site site, const char* block, int64_t out, int64_t in,
                          bool bias) -> Status {
      const std::string name = prefix + block + "." + std::string(site_name(site));
      PM_ASSIGN(layer.linear[static_cast<size_t>(site)], linear(name, out, in, bias));
      return {};
    };
    const int64_t hidden = config_.hidden_size, middle = config_.intermediate_size;
    PM_TRY(read(Site::kQ, "self_attn", config_.query_size(), hidden, config_.qkv_bias));
    PM_TRY(read(Site::kK, "self_attn", config_.key_value_size(), hidden, config_.qkv_bias));
    PM_TRY(read(Site::kV, "self_attn", config_.key_value_size(), hidden, config_.qkv_bias));
    PM_TRY(read(Site::kO, "self_attn", hidden, config_.query_size(), config_.o_bias));
    PM_TRY(read(Site::kGate, "mlp", middle, hidden, config_.mlp_bias));
    PM_TRY(read(Site::kUp, "mlp", middle, hidden, config_.mlp_bias));
    PM_TRY(read(Site::kDown, "mlp", hidden, middle, config_.mlp_bias));
    return layer;
  }

  WeightSource& source_;
  const ModelConfig& config_;
  const DecoderOptions& options_;
};

}  // namespace

Result<ModelWeights> load_weights(const std::filesystem::path& model, const ModelConfig& config,
                                  const DecoderOptions& options) {
  PM_ASSIGN(const auto source, open_weights(model, config));
  PM_ASSIGN(ModelWeights weights, Loader(*source, config, options).model());
  PM_TRY(source->finish());
  return weights;
}

}  // namespace prefixmem::trainer
