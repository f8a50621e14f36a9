#include "common/model/config_families.h"

#include <cmath>

#include "common/model/config_parts.h"

namespace prefixmem {
namespace {

// Layers slide where told, from max_window_layers on.
void set_qwen_layers(ConfigFields& fields, ModelConfig& config) {
  const bool slides = fields.flag("use_sliding_window", false);
  const int64_t window = slides ? read_window(fields) : 0;
  const int64_t first = fields.size("max_window_layers", 28, kMaxLayers, 0);
  const auto types =
      read_layer_types(fields, config, [&](int64_t layer) { return window > 0 && layer >= first; });
  set_layers(fields, types, window, config);
}

}  // namespace

void read_llama(ConfigFields& fields, ModelConfig& config) {
  read_common(fields, {.max_position_embeddings = 2048}, config);
  config.qkv_bias = config.o_bias = fields.flag("attention_bias", false);
  config.mlp_bias = fields.flag("mlp_bias", false);
  read_one_rope(fields, config);
  fields.choices("layer_types", {"full_attention"}, config.num_layers);
  set_layers(fields, std::vector<size_t>(config.num_layers, kFull), 0, config);
}

void read_mistral(ConfigFields& fields, ModelConfig& config) {
  read_common(fields, {.num_key_value_heads = 8, .max_position_embeddings = 131072}, config);
  fields.equal("attention_bias", false);
  read_one_rope(fields, config);
  const int64_t window = read_window(fields);
  const bool slides = window > 0;
  // transformers does not look at layer_types here, so they may only say what it does.
  fields.choices("layer_types", {slides ? "sliding_attention" : "full_attention"},
                 config.num_layers);
  set_layers(fields, std::vector<size_t>(config.num_layers, slides ? kSliding : kFull), window,
             config);
}

void read_qwen2(ConfigFields& fields, ModelConfig& config) {
  read_common(fields, {.num_key_value_heads = 32, .max_position_embeddings = 32768}, config);
  config.qkv_bias = true;
  read_one_rope(fields, config);
  set_qwen_layers(fields, config);
}

void read_qwen3(ConfigFields& fields, ModelConfig& config) {
  read_common(fields,
              {.num_key_value_heads = 32, .head_dim = 128, .max_position_embeddings = 32768},
              config);
  config.qkv_bias = config.o_bias = fields.flag("attention_bias", false);
  config.qk_norm = true;
  read_one_rope(fields, config);
  set_qwen_layers(fields, config);
}

void read_gemma3(ConfigFields& fields, ModelConfig& config) {
  read_common(fields,
              {.num_key_value_heads = 4,
               .head_dim = 256,
               .max_position_embeddings = 131072,
               .tie_word_embeddings = true,
               .activation_key = "hidden_activation",
               .activation = Activation::kGeluTanh},
              config);
  config.norm_offset = 1;
  config.embedding_scale = std::sqrt(static_cast<double>(config.hidden_size));
  config.attention_scale = 1 / std::sqrt(fields.number("query_pre_attn_scalar", 256));
  config.qkv_bias = config.o_bias = fields.flag("attention_bias", false);
  config.qk_norm = config.sandwich_norms = true;
  read_two_ropes(fields, config);
  const int64_t pattern = fields.size("sliding_window_pattern", 6);
  const auto types =
      read_layer_types(fields, config, [&](int64_t layer) { return (layer + 1) % pattern != 0; });
  set_layers(fields, types, read_window(fields), config);
}

}  // namespace prefixmem
