#include "worker/trainer/model/config.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "common/files.h"
#include "worker/trainer/model/config_fields.h"
#include "worker/trainer/model/config_rope.h"
#include "worker/trainer/model/strict_json.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 16;
constexpr int64_t kMaxBytes = 16 << 20;
constexpr int64_t kMaxSize = 1 << 24;
constexpr int64_t kMaxVocabulary = 1 << 26;
constexpr int64_t kMaxLayers = 4096;

// As the configuration classes of transformers have them.
struct Defaults {
  int64_t num_key_value_heads;  // 0: as many as query heads
  int64_t head_dim;             // 0: hidden_size / num_attention_heads
  int64_t max_position_embeddings;
  bool tie_word_embeddings;
  const char* activation_key;
  Activation activation;
};

enum LayerType : size_t { kFull, kSliding };

void check_sizes(ConfigFields& fields, const ModelConfig& config) {
  if (config.num_attention_heads % config.num_key_value_heads != 0) {
    fields.fail("num_key_value_heads", "a divisor of num_attention_heads, which is " +
                                           std::to_string(config.num_attention_heads));
  }
  if (!fields.has("head_dim") && config.hidden_size % config.num_attention_heads != 0) {
    fields.fail("hidden_size", "a multiple of num_attention_heads, where head_dim is not given");
  }
  if (config.head_dim % 2 != 0) fields.fail("head_dim", "an even number");
}

void read_sizes(ConfigFields& fields, const Defaults& defaults, ModelConfig& config) {
  config.hidden_size = fields.size("hidden_size", {}, kMaxSize);
  config.intermediate_size = fields.size("intermediate_size", {}, kMaxSize);
  config.num_layers = fields.size("num_hidden_layers", {}, kMaxLayers);
  config.vocab_size = fields.size("vocab_size", {}, kMaxVocabulary);
  const int64_t heads = fields.size("num_attention_heads", {}, kMaxSize);
  config.num_attention_heads = heads;
  const int64_t pairs = defaults.num_key_value_heads > 0 ? defaults.num_key_value_heads : heads;
  config.num_key_value_heads = fields.size("num_key_value_heads", pairs, kMaxSize);
  const int64_t width = defaults.head_dim > 0 ? defaults.head_dim : config.hidden_size / heads;
  config.head_dim = fields.size("head_dim", width, kMaxSize);
  config.max_position_embeddings =
      fields.size("max_position_embeddings", defaults.max_position_embeddings);
  check_sizes(fields, config);
}

void read_common(ConfigFields& fields, const Defaults& defaults, ModelConfig& config) {
  read_sizes(fields, defaults, config);
  config.rms_norm_eps = fields.number("rms_norm_eps", 1e-6);
  config.attention_scale = 1 / std::sqrt(static_cast<double>(config.head_dim));
  config.tie_word_embeddings = fields.flag("tie_word_embeddings", defaults.tie_word_embeddings);
  config.activation =
      static_cast<Activation>(fields.choice(defaults.activation_key, {"silu", "gelu_pytorch_tanh"},
                                            static_cast<size_t>(defaults.activation)));
  fields.absent("quantization_config");
  fields.absent("attn_logit_softcapping");
  fields.absent("final_logit_softcapping");
  fields.absent("original_max_position_embeddings");
  fields.equal("partial_rotary_factor", 1.0);
  fields.equal("use_bidirectional_attention", false);
}

// One rope for all layers: in rope_parameters, or in rope_theta and rope_scaling.
void read_one_rope(ConfigFields& fields, ModelConfig& config) {
  const bool older = !fields.object("rope_scaling").empty();
  const std::string key = older ? "rope_scaling" : "rope_parameters";
  ConfigFields rope(fields.object(key), key + ".");
  config.ropes.push_back(read_rope(rope, {.head_dim = config.head_dim,
                                          .theta = fields.number("rope_theta", 10000),
                                          .original_length = config.max_position_embeddings}));
  fields.keep(rope.status());
}

// Local and global layers: ropes[kFull] and ropes[kSliding].
void read_two_ropes(ConfigFields& fields, ModelConfig& config) {
  ConfigFields both(fields.object("rope_parameters"), "rope_parameters.");
  both.only_keys({"full_attention", "sliding_attention"});
  json global = both.object("full_attention");
  global.update(fields.object("rope_scaling"));
  ConfigFields full(
      global, fields.has("rope_scaling") ? "rope_scaling." : "rope_parameters.full_attention.");
  ConfigFields sliding(both.object("sliding_attention"), "rope_parameters.sliding_attention.");
  RopeContext context{.head_dim = config.head_dim,
                      .theta = fields.number("rope_theta", 1e6),
                      .original_length = config.max_position_embeddings};
  config.ropes.push_back(read_rope(full, context));
  context.theta = fields.number("rope_local_base_freq", 1e4);
  config.ropes.push_back(read_rope(sliding, context));
  for (const ConfigFields* part : {&both, &full, &sliding}) fields.keep(part->status());
}

int64_t read_window(ConfigFields& fields) {
  return fields.is_null("sliding_window") ? 0 : fields.size("sliding_window", 4096);
}

// `types`: of each layer; `window`: of the sliding ones, 0 where the config has none.
void set_layers(ConfigFields& fields, const std::vector<size_t>& types, int64_t window,
                ModelConfig& config) {
  for (const size_t type : types) {
    const bool sliding = type == kSliding;
    if (sliding && window == 0) {
      fields.keep(invalid_argument(
          "layer_types has sliding_attention, but there is no sliding_window; allowed: a "
          "sliding_window of at least 1 (and, for qwen2, use_sliding_window true)"));
    }
    const int64_t rope = sliding && config.ropes.size() > 1 ? kSliding : kFull;
    config.layers.push_back({.sliding_window = sliding ? window : 0, .rope = rope});
  }
}

void read_llama(ConfigFields& fields, ModelConfig& config) {
  read_common(fields, {0, 0, 2048, false, "hidden_act", Activation::kSilu}, config);
  config.qkv_bias = config.o_bias = fields.flag("attention_bias", false);
  config.mlp_bias = fields.flag("mlp_bias", false);
  read_one_rope(fields, config);
  fields.choices("layer_types", {"full_attention"}, config.num_layers);
  set_layers(fields, std::vector<size_t>(config.num_layers, kFull), 0, config);
}

void read_qwen2(ConfigFields& fields, ModelConfig& config) {
  read_common(fields, {0, 0, 32768, false, "hidden_act", Activation::kSilu}, config);
  config.qkv_bias = true;
  read_one_rope(fields, config);
  const bool slides = fields.flag("use_sliding_window", false);
  const int64_t window = slides ? read_window(fields) : 0;
  const int64_t first = fields.size("max_window_layers", 28, kMaxLayers, 0);
  auto types =
      fields.choices("layer_types", {"full_attention", "sliding_attention"}, config.num_layers);
  for (int64_t i = static_cast<int64_t>(types.size()); i < config.num_layers; ++i) {
    types.push_back(window > 0 && i >= first ? kSliding : kFull);
  }
  set_layers(fields, types, window, config);
}

void read_gemma3(ConfigFields& fields, ModelConfig& config) {
  read_common(fields, {4, 256, 131072, true, "hidden_activation", Activation::kGeluTanh}, config);
  config.norm_offset = 1;
  config.embedding_scale = std::sqrt(static_cast<double>(config.hidden_size));
  config.attention_scale = 1 / std::sqrt(fields.number("query_pre_attn_scalar", 256));
  config.qkv_bias = config.o_bias = fields.flag("attention_bias", false);
  config.qk_norm = config.sandwich_norms = true;
  read_two_ropes(fields, config);
  const int64_t pattern = fields.size("sliding_window_pattern", 6);
  auto types =
      fields.choices("layer_types", {"full_attention", "sliding_attention"}, config.num_layers);
  for (int64_t i = static_cast<int64_t>(types.size()); i < config.num_layers; ++i) {
    types.push_back((i + 1) % pattern != 0 ? kSliding : kFull);
  }
  set_layers(fields, types, read_window(fields), config);
}

}  // namespace

Result<ModelConfig> parse_model_config(std::string_view text) {
  PM_ASSIGN(const json root, parse_strict_json(text, kMaxDepth));
  ConfigFields fields(root);
  const size_t family = fields.choice("model_type", {"llama", "qwen2", "gemma3_text"});
  PM_TRY(fields.status());
  ModelConfig config;
  config.family = root["model_type"];
  constexpr void (*kRead[])(ConfigFields&, ModelConfig&) = {read_llama, read_qwen2, read_gemma3};
  kRead[family](fields, config);
  PM_TRY(fields.status());
  return config;
}

Result<ModelConfig> load_model_config(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder)) {
    return not_found("model folder " + folder.string() + " does not exist");
  }
  const auto file = folder / "config.json";
  PM_ASSIGN(const std::string text, read_file(file, kMaxBytes));
  auto config = parse_model_config(text);
  if (!config.ok()) return config.status().with_context(file.string());
  return config;
}

}  // namespace prefixmem::trainer
