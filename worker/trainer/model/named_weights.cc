#include "worker/trainer/model/named_weights.h"

namespace prefixmem::trainer {
namespace {

class Collector {
 public:
  explicit Collector(const ModelConfig& config) : config_(config) {}

  void add(const std::string& name, torch::Tensor& tensor) {
    if (tensor.defined()) named_.push_back({name, &tensor});
  }

  void add_layer(const std::string& prefix, LayerWeights& layer) {
    const bool sandwich = config_.sandwich_norms;
    add(prefix + "input_layernorm.weight", layer.before_attention);
    for (const Site site : {Site::kQ, Site::kK, Site::kV}) {
      add_linear(prefix + "self_attn.", site, layer);
    }
    add(prefix + "self_attn.q_norm.weight", layer.query_norm);
    add(prefix + "self_attn.k_norm.weight", layer.key_norm);
    add_linear(prefix + "self_attn.", Site::kO, layer);
    add(prefix + "post_attention_layernorm.weight",
        sandwich ? layer.after_attention : layer.before_mlp);
    if (sandwich) add(prefix + "pre_feedforward_layernorm.weight", layer.before_mlp);
    for (const Site site : {Site::kGate, Site::kUp, Site::kDown}) {
      add_linear(prefix + "mlp.", site, layer);
    }
    add(prefix + "post_feedforward_layernorm.weight", layer.after_mlp);
  }

  std::vector<NamedWeight> take() { return std::move(named_); }

 private:
  void add_linear(const std::string& prefix, Site site, LayerWeights& layer) {
    LinearWeights& linear = layer.linear[static_cast<size_t>(site)];
    const std::string name = prefix + std::string(site_name(site));
    add(name + ".weight", linear.weight);
    add(name + ".bias", linear.bias);
  }

  const ModelConfig& config_;
  std::vector<NamedWeight> named_;
};

}  // namespace

std::vector<NamedWeight> named_weights(ModelWeights& weights, const ModelConfig& config) {
  Collector collector(config);
  collector.add("model.embed_tokens.weight", weights.embedding);
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    collector.add_layer("model.layers." + std::to_string(i) + ".", weights.layers[i]);
  }
  collector.add("model.norm.weight", weights.final_norm);
  if (!config.tie_word_embeddings) collector.add("lm_head.weight", weights.head);
  return collector.take();
}

}  // namespace prefixmem::trainer
