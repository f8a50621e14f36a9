#include "common/model/config_parts.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "common/model/config_rope.h"

namespace prefixmem {
namespace {

using nlohmann::json;

constexpr int64_t kMaxSize = 1 << 24;
constexpr int64_t kMaxVocabulary = 1 << 26;
constexpr int64_t kMaxHeadDim = 1 << 12;

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

void read_sizes(ConfigFields& fields, const ConfigDefaults& defaults, ModelConfig& config) {
  config.hidden_size = fields.size("hidden_size", {}, kMaxSize);
  config.intermediate_size = fields.size("intermediate_size", {}, kMaxSize);
  config.num_layers = fields.size("num_hidden_layers", {}, kMaxLayers);
  config.vocab_size = fields.size("vocab_size", {}, kMaxVocabulary);
  const int64_t heads = fields.size("num_attention_heads", {}, kMaxSize);
  config.num_attention_heads = heads;
  const bool paired = defaults.num_key_value_heads == 0 || fields.is_null("num_key_value_heads");
  const int64_t pairs = paired ? heads : defaults.num_key_value_heads;
  config.num_key_value_heads = fields.size("num_key_value_heads", pairs, kMaxSize);
  const int64_t width = defaults.head_dim > 0 ? defaults.head_dim : config.hidden_size / heads;
  config.head_dim = fields.size("head_dim", width, kMaxHeadDim);
  if (config.head_dim > kMaxHeadDim) {  // ropes are as long
    fields.fail("num_attention_heads",
                "so many that each has at most " + std::to_string(kMaxHeadDim) + " of hidden_size");
    config.head_dim = kMaxHeadDim;
  }
  config.max_position_embeddings =
      fields.size("max_position_embeddings", defaults.max_position_embeddings);
  check_sizes(fields, config);
}

void refuse_unsupported(ConfigFields& fields) {
  for (const char* key :
       {"quantization_config", "attn_logit_softcapping", "final_logit_softcapping",
        "original_max_position_embeddings", "num_experts", "num_local_experts"}) {
    fields.absent(key);
  }
  fields.equal("partial_rotary_factor", 1.0);
  fields.equal("attention_dropout", 0.0);  // transformers would train with it
  fields.equal("use_bidirectional_attention", false);
}

}  // namespace

void read_common(ConfigFields& fields, const ConfigDefaults& defaults, ModelConfig& config) {
  read_sizes(fields, defaults, config);
  config.rms_norm_eps = fields.number("rms_norm_eps", 1e-6);
  config.attention_scale = 1 / std::sqrt(static_cast<double>(config.head_dim));
  config.tie_word_embeddings = fields.flag("tie_word_embeddings", defaults.tie_word_embeddings);
  config.activation =
      static_cast<Activation>(fields.choice(defaults.activation_key, {"silu", "gelu_pytorch_tanh"},
                                            static_cast<size_t>(defaults.activation)));
  refuse_unsupported(fields);
}

void read_one_rope(ConfigFields& fields, ModelConfig& config) {
  const bool older = !fields.object("rope_scaling").empty();
  const std::string key = older ? "rope_scaling" : "rope_parameters";
  ConfigFields rope(fields.object(key), key + ".");
  config.ropes.push_back(read_rope(rope, {.head_dim = config.head_dim,
                                          .theta = fields.number("rope_theta", 10000),
                                          .original_length = config.max_position_embeddings}));
  fields.keep(rope.status());
}

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

void set_layers(ConfigFields& fields, const std::vector<size_t>& types, int64_t window,
                ModelConfig& config) {
  for (const size_t type : types) {
    const bool sliding = type == kSliding;
    if (sliding && window == 0) {
      fields.keep(invalid_argument(
          "layer_types has sliding_attention, but there is no sliding_window; allowed: a "
          "sliding_window of at least 1 (and, for qwen2 and qwen3, use_sliding_window true)"));
    }
    const int64_t rope = sliding && config.ropes.size() > 1 ? kSliding : kFull;
    config.layers.push_back({.sliding_window = sliding ? window : 0, .rope = rope});
  }
}

}  // namespace prefixmem
