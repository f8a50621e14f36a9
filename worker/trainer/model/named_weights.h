// The weights of a decoder by the names that Hugging Face gives them.
#pragma once

#include <string>
#include <vector>

#include "worker/trainer/model/weights.h"

namespace prefixmem::trainer {

struct NamedWeight {
  std::string name;
  torch::Tensor* tensor;  // of the weights given
};

// In the order of the forward pass: embedding, layers, final norm, and lm_head where it is not
// tied. What the family lacks is left out.
std::vector<NamedWeight> named_weights(ModelWeights& weights, const ModelConfig& config);

}  // namespace prefixmem::trainer
