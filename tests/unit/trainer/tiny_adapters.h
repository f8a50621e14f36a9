// Adapters of the tiny decoders.
#pragma once

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <memory>

#include "tests/unit/trainer/tiny_transformer.h"
#include "worker/trainer/adapters/adapter.h"

namespace prefixmem::trainer {

// On one linear layer of the attention and one of the MLP.
inline const LoraMethod kTinyLora{3, 12, {"q_proj", "down_proj"}};

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

inline RaggedBatch two_rows() {
  RaggedBuilder builder;
  const int32_t prompt = builder.add({3, 1, 4, 1, 5, 9, 2, 6});
  builder.add({5, 3, 5}, prompt);
  builder.add({8, 9, 7, 9, 3});
  return std::move(builder).build();
}

inline torch::Tensor hidden_of(Transformer& model, Adapter* adapter) {
  const RaggedBatch batch = two_rows();
  return model.hidden(batch, adapter, torch::arange(batch.token_count(), torch::kLong)).detach();
}

// Up to 1e-5 of the largest value.
inline void expect_close(const torch::Tensor& got, const torch::Tensor& want) {
  ASSERT_EQ(got.sizes(), want.sizes());
  EXPECT_LT((got - want).abs().max().item<double>(), 1e-5 * want.abs().max().item<double>());
}

}  // namespace prefixmem::trainer
