#include "worker/trainer/model/gguf_config.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "common/model/config_fields.h"
#include "common/model/strict_json.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::json;

constexpr int64_t kLayersOfGemma27b = 62;
constexpr const char* kFrequencies = "rope_freqs.weight";

// The settings of the architecture without its name, {"block_count": 18, …}.
json settings_of(const json& metadata, const std::string& architecture) {
  json settings = json::object();
  for (const auto& [key, value] : metadata.items()) {
    if (key.starts_with(architecture + ".")) settings[key.substr(architecture.size() + 1)] = value;
  }
  return settings;
}

void check_general(ConfigFields& fields) {
  fields.equal("general.type", "model");
  fields.equal("general.quantization_version", 2);
  if (fields.size("split.count", 1, 1 << 20, 0) > 1) {
    fields.fail("split.count", "1; the parts of a split file must be joined first");
  }
}

void check_settings(ConfigFields& own, int64_t head_dim) {
  own.only_keys({"vocab_size",
                 "context_length",
                 "embedding_length",
                 "block_count",
                 "feed_forward_length",
                 "attention.head_count",
                 "attention.head_count_kv",
                 "attention.key_length",
                 "attention.value_length",
                 "attention.layer_norm_rms_epsilon",
                 "attention.sliding_window",
                 "attention.sliding_window_pattern",
                 "attention.causal",
                 "rope.dimension_count",
                 "rope.freq_base",
                 "rope.freq_base_swa",
                 "rope.scale_linear",
                 "rope.scaling.type",
                 "rope.scaling.factor",
                 "rope.scaling.attn_factor",
                 "rope.scaling.original_context_length",
                 "rope.scaling.finetuned",
                 "expert_count",
                 "expert_used_count",
                 "attn_logit_softcapping",
                 "final_logit_softcapping"});
  own.equal("attention.value_length", head_dim);
  own.equal("attention.causal", true);
  own.equal("rope.dimension_count", head_dim);
  own.equal("rope.scaling.attn_factor", 1.0);
  for (const char* key :
       {"expert_count", "expert_used_count", "attn_logit_softcapping", "final_logit_softcapping"}) {
    own.equal(key, 0);
  }
}

int64_t read_head_dim(ConfigFields& own, int64_t hidden, int64_t heads) {
  const std::string key = "attention.key_length";
  if (!own.has(key) && hidden % heads != 0) {
    own.fail(key, "a whole number, where embedding_length is no multiple of attention.head_count");
  }
  return own.size(key, hidden / heads);
}

json read_sizes(ConfigFields& own, const GgufFile& file) {
  const int64_t hidden = own.size("embedding_length");
  const int64_t heads = own.size("attention.head_count");
  const int64_t head_dim = read_head_dim(own, hidden, heads);
  check_settings(own, head_dim);
  const auto table = file.tensors().find("token_embd.weight");
  if (table == file.tensors().end()) own.keep(data_loss("it has no tensor token_embd.weight"));
  return {{"hidden_size", hidden},
          {"intermediate_size", own.size("feed_forward_length")},
          {"num_hidden_layers", own.size("block_count")},
          {"num_attention_heads", heads},
          {"num_key_value_heads", own.size("attention.head_count_kv", heads)},
          {"head_dim", head_dim},
          {"vocab_size", table == file.tensors().end() ? 1 : table->second.shape.front()},
          {"max_position_embeddings", own.size("context_length")},
          {"rms_norm_eps", own.number("attention.layer_norm_rms_epsilon")},
          {"tie_word_embeddings", !file.contains("output.weight")}};
}

void add_rope(ConfigFields& own, json& config) {
  config["rope_theta"] = own.number("rope.freq_base", 10000);
  const bool linear = own.choice("rope.scaling.type", {"none", "linear"}, 1) == 1;
  const double factor = own.number("rope.scaling.factor", own.number("rope.scale_linear", 1));
  if (linear && factor != 1) config["rope_scaling"] = {{"rope_type", "linear"}, {"factor", factor}};
}

void add_llama(ConfigFields& own, const GgufFile& file, json& config) {
  if (own.has("attention.sliding_window")) {
    config["model_type"] = "mistral";
    config["sliding_window"] = own.size("attention.sliding_window");
    return;
  }
  config["model_type"] = "llama";
  config["attention_bias"] = file.contains("blk.0.attn_q.bias");
  config["mlp_bias"] = file.contains("blk.0.ffn_gate.bias");
}

void add_qwen2(ConfigFields& own, const GgufFile&, json& config) {
  config["model_type"] = "qwen2";
  own.absent("attention.sliding_window");
}

void add_qwen3(ConfigFields& own, const GgufFile& file, json& config) {
  config["model_type"] = "qwen3";
  config["attention_bias"] = file.contains("blk.0.attn_q.bias");
  own.absent("attention.sliding_window");
}

// Which layers slide: all but each sixth, unless the file says otherwise.
void add_pattern(ConfigFields& own, const json& settings, json& config) {
  const std::string key = "attention.sliding_window_pattern";
  if (!settings.contains(key) || !settings[key].is_array()) {
    config["sliding_window_pattern"] = own.size(key, 6);
    return;
  }
  config["layer_types"] = json::array();
  for (const json& slides : settings[key]) {
    config["layer_types"].push_back(slides == true ? "sliding_attention" : "full_attention");
  }
}

void add_gemma3(ConfigFields& own, const GgufFile& file, json& config) {
  config["model_type"] = "gemma3_text";
  config["attention_bias"] = file.contains("blk.0.attn_q.bias");
  config["sliding_window"] = own.size("attention.sliding_window");
  config["rope_local_base_freq"] = own.number("rope.freq_base_swa", 10000);
  const bool largest = config["num_hidden_layers"] == kLayersOfGemma27b;
  const int64_t hidden = config["hidden_size"], heads = config["num_attention_heads"];
  config["query_pre_attn_scalar"] = largest ? json(hidden / heads) : config["head_dim"];
}

// Llama 3's scaling is stored as what each frequency is divided by.
Status divide_frequencies(const GgufFile& file, ModelConfig& config) {
  if (!file.contains(kFrequencies)) return {};
  PM_ASSIGN(const torch::Tensor factors, file.tensor(kFrequencies, at::kFloat));
  auto& frequencies = config.ropes[0].inv_freq;
  const bool fits = factors.numel() == static_cast<int64_t>(frequencies.size());
  if (!fits || !at::logical_and(factors > 0, factors.isfinite()).all().item<bool>()) {
    return data_loss("its tensor " + std::string(kFrequencies) + " is not " +
                     std::to_string(frequencies.size()) + " numbers above 0");
  }
  const auto* const factor = factors.const_data_ptr<float>();
  for (size_t i = 0; i < frequencies.size(); ++i) {
    frequencies[i] = static_cast<float>(frequencies[i]) / factor[i];
  }
  return {};
}

Result<ModelConfig> translate(const GgufFile& file) {
  ConfigFields general(file.metadata());
  check_general(general);
  const size_t family =
      general.choice("general.architecture", {"llama", "qwen2", "qwen3", "gemma3"});
  PM_TRY(general.status());
  const std::string architecture = file.metadata()["general.architecture"];
  const json settings = settings_of(file.metadata(), architecture);
  ConfigFields own(settings, architecture + ".");
  json config = read_sizes(own, file);
  add_rope(own, config);
  constexpr void (*kAdd[])(ConfigFields&, const GgufFile&, json&) = {add_llama, add_qwen2,
                                                                     add_qwen3, add_gemma3};
  kAdd[family](own, file, config);
  if (architecture == "gemma3") add_pattern(own, settings, config);
  PM_TRY(own.status());
  auto parsed = parse_model_config(config.dump());
  if (!parsed.ok()) return parsed.status().with_context("as a config.json");
  if (architecture == "llama") PM_TRY(divide_frequencies(file, *parsed));
  return parsed;
}

}  // namespace

Result<ModelConfig> gguf_model_config(const GgufFile& file) {
  auto config = translate(file);
  if (!config.ok()) return config.status().with_context(file.name());
  return config;
}

}  // namespace prefixmem::trainer
