// Every weight of a decoder: what Hugging Face calls it, its shape, and where it goes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "worker/trainer/model/weights.h"

namespace prefixmem::trainer {

struct WeightSlot {
  std::string name;
  std::vector<int64_t> shape;
  torch::Tensor* tensor;              // of the weights given
  bool norm = false;                  // kept in fp32
  std::optional<int64_t> layer = {};  // whose linear map's weight it is, [out, in]
};

// In the order of the forward pass: embedding, layers, final norm, and lm_head where it is not
// tied. What the family lacks is left out. `weights` has as many layers as the config.
std::vector<WeightSlot> weight_slots(ModelWeights& weights, const ModelConfig& config);

}  // namespace prefixmem::trainer
