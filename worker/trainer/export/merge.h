// Folding what an adapter adds to linear maps into their weights.
#pragma once

#include <vector>

#include "common/model/config.h"
#include "worker/trainer/adapters/adapter.h"

namespace prefixmem::trainer {

// Adds to each linear weight among `weights` (the model's, by their Hugging Face names, fp32) and
// to its bias what `adapter` adds to its output. The adapter must have no other hook.
void merge_linear(Adapter& adapter, const ModelConfig& config, std::vector<Parameter>& weights);

}  // namespace prefixmem::trainer
