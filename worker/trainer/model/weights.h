// The tensors of a decoder.
#pragma once

#include <torch/types.h>

#include <array>
#include <filesystem>
#include <memory>
#include <vector>

#include "common/model/config.h"
#include "common/model/linear_site.h"
#include "common/status.h"
#include "worker/trainer/model/decoder.h"
#include "worker/trainer/model/linear_weights.h"

namespace prefixmem::trainer {

// Norm weights are as stored, w where Gemma multiplies with 1 + w, and fp32 while they are frozen;
// undefined where the family has no such norm.
struct LayerWeights {
  torch::Tensor before_attention, after_attention, before_mlp, after_mlp;  // [hidden]
  torch::Tensor query_norm, key_norm;                                      // [head_dim]
  std::array<LinearWeights, kSites> linear;                                // by Site
};

class ShardedLayers;

struct ModelWeights {
  torch::Tensor embedding;  // [vocab, hidden]
  torch::Tensor head;       // [vocab, hidden]; the embedding itself where they are tied
  torch::Tensor final_norm;
  std::vector<LayerWeights> layers;
  std::shared_ptr<ShardedLayers> shards;  // what brings those of the layers; null: they are there
};

// From model.safetensors, its shards or a GGUF file (see find_model). On the CPU, tensors already
// of the wanted dtype stay mapped from the file, but for layers that are sharded. Errors as
// Decoder::load.
Result<ModelWeights> load_weights(const std::filesystem::path& model, const ModelConfig& config,
                                  const DecoderOptions& options);

}  // namespace prefixmem::trainer
