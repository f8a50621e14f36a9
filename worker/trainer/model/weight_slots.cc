#include "worker/trainer/model/weight_slots.h"

#include <initializer_list>
#include <utility>

namespace prefixmem::trainer {
namespace {

class Collector {
 public:
  explicit Collector(const ModelConfig& config) : config_(config) {}

  void add_table(const std::string& name, torch::Tensor& tensor) {
    slots_.push_back({name, {config_.vocab_size, config_.hidden_size}, &tensor});
  }
  void add_norm(const std::string& name, int64_t size, torch::Tensor& tensor) {
    slots_.push_back({name + ".weight", {size}, &tensor, true});
  }
  void add_layer(int64_t index, LayerWeights& layer);

  std::vector<WeightSlot> take() { return std::move(slots_); }

 private:
  void add_maps(int64_t index, std::initializer_list<Site> sites, LayerWeights& layer) {
    for (const Site site : sites) {
      LinearWeights& linear = layer.linear[static_cast<size_t>(site)];
      const auto [out, in, bias] = linear_shape(site, config_);
      slots_.push_back(
          {module_name(index, site) + ".weight", {out, in}, &linear.weight, false, index});
      if (bias) slots_.push_back({module_name(index, site) + ".bias", {out}, &linear.bias});
    }
  }

  const ModelConfig& config_;
  std::vector<WeightSlot> slots_;
};

void Collector::add_layer(int64_t index, LayerWeights& layer) {
  const std::string prefix = "model.layers." + std::to_string(index) + ".";
  const int64_t hidden = config_.hidden_size;
  const bool sandwich = config_.sandwich_norms;
  add_norm(prefix + "input_layernorm", hidden, layer.before_attention);
  add_maps(index, {Site::kQ, Site::kK, Site::kV}, layer);
  if (config_.qk_norm) {
    add_norm(prefix + "self_attn.q_norm", config_.head_dim, layer.query_norm);
    add_norm(prefix + "self_attn.k_norm", config_.head_dim, layer.key_norm);
  }
  add_maps(index, {Site::kO}, layer);
  add_norm(prefix + "post_attention_layernorm", hidden,
           sandwich ? layer.after_attention : layer.before_mlp);
  if (sandwich) add_norm(prefix + "pre_feedforward_layernorm", hidden, layer.before_mlp);
  add_maps(index, {Site::kGate, Site::kUp, Site::kDown}, layer);
  if (sandwich) add_norm(prefix + "post_feedforward_layernorm", hidden, layer.after_mlp);
}

}  // namespace

std::vector<WeightSlot> weight_slots(ModelWeights& weights, const ModelConfig& config) {
  Collector collector(config);
  collector.add_table("model.embed_tokens.weight", weights.embedding);
  for (int64_t i = 0; i < config.num_layers; ++i) collector.add_layer(i, weights.layers[i]);
  collector.add_norm("model.norm", config.hidden_size, weights.final_norm);
  if (!config.tie_word_embeddings) collector.add_table("lm_head.weight", weights.head);
  return collector.take();
}

}  // namespace prefixmem::trainer
