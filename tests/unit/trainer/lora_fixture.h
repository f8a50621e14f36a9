// LoRA beside the tiny decoders: adapters made with their base, and bases with an adapter merged.
#pragma once

#include <memory>
#include <string>

#include "tests/unit/trainer/tiny_adapters.h"

namespace prefixmem::trainer {

inline std::unique_ptr<Adapter> lora_of(const LoraMethod& method, Transformer& model,
                                        uint64_t seed = 1) {
  return std::move(make_adapter(method, {model.config(), seed, torch::kCPU, &model})).value();
}

// The parameter of layer `layer` whose name ends so, or an undefined tensor.
inline torch::Tensor value_of(Adapter& adapter, int64_t layer, const std::string& ending) {
  const std::string place = ".layers." + std::to_string(layer) + ".";
  for (const Parameter& parameter : adapter.parameters()) {
    if (parameter.name.find(place) != std::string::npos && parameter.name.ends_with(ending)) {
      return parameter.value;
    }
  }
  return {};
}

// The base with W replaced by m (W + s B A) / |W + s B A|, or W + s B A where there is no m, and b
// by its trained value: a model that the adapter must equal.
inline std::unique_ptr<Transformer> merged(bool gemma, Adapter& lora, double scale) {
  const torch::NoGradGuard no_grad;
  const ModelConfig config = tiny_config(gemma);
  ModelWeights weights = tiny_weights(config);
  for (int64_t layer = 0; layer < config.num_layers; ++layer) {
    for (size_t i = 0; i < kSites; ++i) {
      auto& [weight, bias] = weights.layers[layer].linear[i];
      const std::string name = std::string(site_name(static_cast<Site>(i))) + ".";
      const auto a = value_of(lora, layer, name + "lora_A.weight");
      if (a.defined()) {
        weight = weight + scale * value_of(lora, layer, name + "lora_B.weight").matmul(a);
      }
      const auto magnitude = value_of(lora, layer, name + "lora_magnitude_vector");
      if (magnitude.defined()) weight = weight * (magnitude / weight.norm(2, 1)).unsqueeze(1);
      for (const char* ending : {"base_layer.bias", "bias"}) {
        const auto trained = value_of(lora, layer, name + ending);
        if (trained.defined()) bias = trained;
      }
    }
  }
  return std::make_unique<Transformer>(config, DecoderOptions{.dtype = torch::kFloat32},
                                       std::move(weights));
}

}  // namespace prefixmem::trainer
