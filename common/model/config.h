// What a decoder is made of, read from a Hugging Face config.json: families differ in data alone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace prefixmem {

enum class Activation { kSilu, kGeluTanh };

// One set of rotary frequencies. Halves are rotated (x1 with x2 = x[head_dim / 2 …]):
// cos and sin of position · inv_freq, both times attention_factor.
struct Rope {
  std::vector<double> inv_freq;  // [head_dim / 2], fp32 values; any scaling is in them
  double attention_factor = 1;
};

struct LayerConfig {
  int64_t sliding_window = 0;  // tokens that a token sees, itself included; 0: all before it
  int64_t rope = 0;            // index into ModelConfig::ropes
};

struct ModelConfig {
  std::string family;  // llama, mistral, qwen2, qwen3, gemma3_text
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_layers = 0;
  int64_t num_attention_heads = 0;  // of queries
  int64_t num_key_value_heads = 0;  // divides num_attention_heads
  int64_t head_dim = 0;             // even; heads · head_dim need not be hidden_size
  int64_t vocab_size = 0;
  int64_t max_position_embeddings = 0;
  double rms_norm_eps = 0;
  // 0: y = round(x / rms) · w, as Llama; 1: y = round(x / rms · (1 + w)), as Gemma. Rounding is to
  // the model's dtype; everything before it is in fp32.
  double norm_offset = 0;
  Activation activation = Activation::kSilu;
  double embedding_scale = 1;  // to be rounded to the model's dtype before it multiplies
  double attention_scale = 0;  // of q · k
  bool qkv_bias = false;       // q_proj, k_proj and v_proj have a bias
  bool o_bias = false;
  bool mlp_bias = false;        // gate_proj, up_proj and down_proj
  bool qk_norm = false;         // RMS norm of each head's query and key, before rotary
  bool sandwich_norms = false;  // norms after attention and MLP as well, as Gemma
  bool tie_word_embeddings = false;
  std::vector<Rope> ropes;
  std::vector<LayerConfig> layers;  // [num_layers]

  int64_t query_size() const { return num_attention_heads * head_dim; }
  int64_t key_value_size() const { return num_key_value_heads * head_dim; }
};

inline constexpr int64_t kMaxModelConfigBytes = 16 << 20;  // of a config.json
inline constexpr size_t kMaxSentConfigBytes = 1 << 20;     // of one that is part of a call

// Of that config.json. Errors: of read_file, and of parse_model_config behind the file's name.
Result<ModelConfig> read_model_config(const std::filesystem::path& file);

// From the text of a config.json of either age (rope_parameters and layer_types, or rope_theta,
// rope_scaling, rope_local_base_freq and sliding_window_pattern). Errors: DATA_LOSS (no JSON
// object), INVALID_ARGUMENT (a family or setting that is not supported, or no valid value); they
// begin with the key alone.
Result<ModelConfig> parse_model_config(std::string_view json);

}  // namespace prefixmem
