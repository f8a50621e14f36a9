// What the readers of the families share; each leaves its faults in `fields`.
#pragma once

#include "common/model/config.h"
#include "common/model/config_fields.h"

namespace prefixmem {

// As the configuration classes of transformers have them.
struct ConfigDefaults {
  int64_t num_key_value_heads = 0;  // 0: as many as query heads
  int64_t head_dim = 0;             // 0: hidden_size / num_attention_heads
  int64_t max_position_embeddings = 0;
  bool tie_word_embeddings = false;
  const char* activation_key = "hidden_act";
  Activation activation = Activation::kSilu;
};

enum LayerType : size_t { kFull, kSliding };

inline constexpr int64_t kMaxLayers = 4096;

// Sizes, activation, norm and tying; refuses by name what no family here has (quantised weights,
// experts, capped logits, …).
void read_common(ConfigFields& fields, const ConfigDefaults& defaults, ModelConfig& config);

// One rope for all layers: rope_parameters, or rope_theta and rope_scaling.
void read_one_rope(ConfigFields& fields, ModelConfig& config);

// Of layers of both types: ropes[kFull] and ropes[kSliding].
void read_two_ropes(ConfigFields& fields, ModelConfig& config);

// sliding_window, which is 4096 where it is not given; 0 where it is null.
int64_t read_window(ConfigFields& fields);

// LayerType of each layer: layer_types where given, or `of(layer)`.
template <typename Of>
std::vector<size_t> read_layer_types(ConfigFields& fields, const ModelConfig& config, Of of) {
  auto types =
      fields.choices("layer_types", {"full_attention", "sliding_attention"}, config.num_layers);
  for (auto i = static_cast<int64_t>(types.size()); i < config.num_layers; ++i) {
    types.push_back(of(i) ? kSliding : kFull);
  }
  return types;
}

// `types`: of each layer; `window`: of the sliding ones, 0 where the config has none.
void set_layers(ConfigFields& fields, const std::vector<size_t>& types, int64_t window,
                ModelConfig& config);

}  // namespace prefixmem
