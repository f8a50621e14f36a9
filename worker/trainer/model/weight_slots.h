// Every weight of a decoder: what Hugging Face calls it, its shape, and where it goes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/trainer/model/weights.h"

namespace prefixmem::trainer {

struct WeightSlot {
  std::string name;
  std::vector<int64_t> shape;
  torch::Tensor* tensor;  // of the weights given
  bool norm = false;      // kept in fp32
};

// In the order of the forward pass: embedding, layers, final norm, and lm_head where it is not
// tied. What the family lacks is left out. `weights` has as many layers as the config.
std::vector<WeightSlot> weight_slots(ModelWeights& weights, const ModelConfig& config);

}  // namespace prefixmem::trainer
