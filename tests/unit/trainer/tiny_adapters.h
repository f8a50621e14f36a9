// Adapters of the tiny decoders.
#pragma once

#include <torch/torch.h>

#include <memory>

#include "tests/unit/trainer/tiny_transformer.h"
#include "worker/trainer/adapters/adapter.h"

namespace prefixmem::trainer {

// As a job makes it. The method must fit the model.
inline std::unique_ptr<Adapter> tiny_adapter(const MethodSpec& method, const ModelConfig& config,
                                             uint64_t seed = 1) {
  return std::move(make_adapter(method, {config, seed})).value();
}

// As if trained: every value drawn anew.
inline void randomize(Adapter& adapter, uint64_t seed = 3) {
  torch::manual_seed(seed);
  for (auto& parameter : adapter.parameters()) {
    parameter.value.data().copy_(torch::randn(parameter.value.sizes()) * 0.3);
  }
}

}  // namespace prefixmem::trainer
