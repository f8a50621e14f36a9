// A base whose layers are in parts on the ranks computes what a whole one does, to the bit: alone,
// and in a gang of three.
#include "worker/trainer/model/sharded_layers.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <memory>

#include "tests/unit/trainer/lora_fixture.h"
#include "tests/unit/trainer/peak_bytes.h"
#include "tests/unit/trainer/random_rows.h"
#include "tests/unit/trainer/test_gang.h"

namespace prefixmem::trainer {
namespace {

constexpr int64_t kLayers = 5;

ModelConfig deep_config(bool gemma) {
  ModelConfig config = tiny_config(gemma);
  config.num_layers = kLayers;
  while (static_cast<int64_t>(config.layers.size()) < kLayers) {
    config.layers.push_back(config.layers[config.layers.size() % 2]);
  }
  return config;
}

ModelWeights weights_of(const ModelConfig& config, torch::Dtype dtype) {
  ModelWeights weights = tiny_weights(config);
  for (const WeightSlot& slot : weight_slots(weights, config)) {
    if (!slot.norm) *slot.tensor = slot.tensor->to(dtype);
  }
  if (config.tie_word_embeddings) weights.head = weights.embedding;
  return weights;
}

std::unique_ptr<Transformer> whole(bool gemma, torch::Dtype dtype) {
  const ModelConfig config = deep_config(gemma);
  return std::make_unique<Transformer>(config, DecoderOptions{.dtype = dtype},
                                       weights_of(config, dtype));
}

std::unique_ptr<Transformer> sharded(bool gemma, torch::Dtype dtype) {
  const ModelConfig config = deep_config(gemma);
  ModelWeights weights = weights_of(config, dtype);
  std::map<std::string, torch::Tensor> originals;
  for (const WeightSlot& slot : weight_slots(weights, config)) originals[slot.name] = *slot.tensor;
  const auto slots = weight_slots(weights, config);
  weights.shards = std::make_shared<ShardedLayers>(*test_gang(), slots, dtype);
  for (const WeightSlot& slot : slots) {
    if (slot.layer) weights.shards->keep(slot, originals.at(slot.name));
  }
  return std::make_unique<Transformer>(config, DecoderOptions{.dtype = dtype}, std::move(weights));
}

struct Learned {
  torch::Tensor hidden;
  std::vector<torch::Tensor> gradients;
};

// Of random rows, another set each time.
Learned learn(Transformer& model, Adapter& adapter, uint32_t seed, int64_t recomputed) {
  std::mt19937 random(seed);
  RaggedBuilder builder;
  for (const auto& row : random_rows(random, {4, 2, 9, 40, 0})) builder.add(row);
  const RaggedBatch batch = std::move(builder).build();
  const int64_t count = batch.token_count();
  const AdapterSpans spans({{&adapter, count, recomputed}});
  const torch::Tensor hidden = model.hidden(batch, spans, torch::arange(count, torch::kLong));
  hidden.to(torch::kFloat).square().sum().backward();
  Learned learned{hidden.detach(), {}};
  for (Parameter& parameter : adapter.parameters()) {
    learned.gradients.push_back(parameter.value.grad().clone());
    parameter.value.mutable_grad().reset();
  }
  return learned;
}

void expect_equal(const Learned& got, const Learned& want) {
  EXPECT_TRUE(got.hidden.equal(want.hidden));
  ASSERT_EQ(got.gradients.size(), want.gradients.size());
  for (size_t i = 0; i < got.gradients.size(); ++i) {
    EXPECT_TRUE(got.gradients[i].equal(want.gradients[i])) << i;
  }
}

const std::vector<MethodSpec> kFrozenBaseMethods = {
    PrefixMemoryMethod(),
    PrefixMemoryMethod{.layers = {"2-4"}},
    PrefixTuningMethod{.num_virtual_tokens = 3},
    LoraMethod{.r = 3, .alpha = 6},
    LoraMethod{.r = 2, .alpha = 4, .target_modules = {"v_proj", "up_proj"}, .use_dora = true},
    LoraMethod{.r = 2, .alpha = 4, .bias = LoraMethod::Bias::kAll},
};

class ShardedLayersTest : public ::testing::TestWithParam<std::tuple<bool, torch::Dtype>> {
 protected:
  bool gemma() const { return std::get<0>(GetParam()); }
  torch::Dtype dtype() const { return std::get<1>(GetParam()); }
};

// Each rank takes another number of steps of its own rows, forward alone between them.
TEST_P(ShardedLayersTest, EachRankLearnsWhatItWouldFromAWholeBase) {
  const auto base = whole(gemma(), dtype()), cut = sharded(gemma(), dtype());
  ShardedLayers& shards = *cut->shards();
  const int rank = test_gang()->rank();
  for (const MethodSpec& method : kFrozenBaseMethods) {
    for (const int64_t recomputed : {0, 2}) {
      const auto context = [&](Transformer& model) {
        return AdapterContext{model.config(), 1, torch::kCPU, &model};
      };
      auto one = std::move(make_adapter(method, context(*base))).value();
      auto other = std::move(make_adapter(method, context(*cut))).value();
      randomize(*one);
      randomize(*other);
      for (int step = 0; step < 1 + rank; ++step) {
        const uint32_t seed = 10 * rank + step;
        expect_equal(learn(*cut, *other, seed, recomputed), learn(*base, *one, seed, recomputed));
        const torch::NoGradGuard no_grad;
        if (step == 0) {
          EXPECT_TRUE(hidden_of(*cut, other.get()).equal(hidden_of(*base, one.get())));
        }
      }
      ASSERT_TRUE(shards.settle().ok());
    }
  }
}

TEST_P(ShardedLayersTest, AtMostTwoLayersAreThereAtATime) {
  const auto cut = sharded(gemma(), dtype());
  ShardedLayers& shards = *cut->shards();
  EXPECT_EQ(shards.layers_here(), 0);
  int64_t seen = 0;
  cut->observe(two_rows(), nullptr, [&](const AttentionView& view) {
    EXPECT_TRUE(shards.has(view.layer));
    EXPECT_LE(shards.layers_here(), 2);
    ++seen;
  });
  EXPECT_EQ(seen, kLayers);
  ASSERT_TRUE(shards.settle().ok());
}

// Also while it is made: there is room for no more.
TEST_P(ShardedLayersTest, HoldsItsPartsAndBuffers) {
  const ModelConfig config = deep_config(gemma());
  ModelWeights weights = weights_of(config, dtype());
  const auto slots = weight_slots(weights, config);
  int64_t all = 0;
  for (const WeightSlot& slot : slots) {
    if (slot.layer) all += static_cast<int64_t>(slot.tensor->nbytes());
  }
  const PeakBytes peak;
  const ShardedLayers shards(*test_gang(), slots, dtype());
  const int64_t ranks = test_gang()->size(), granules = kLayers * (4096 + 7 * 64);
  EXPECT_GE(shards.kept_bytes(), all / ranks);
  EXPECT_LE(shards.kept_bytes(), all / ranks + granules);
  const int64_t layer = shards.kept_bytes() * ranks / kLayers;
  EXPECT_EQ(shards.buffer_bytes(), 3 * layer);
  EXPECT_LE(peak.peak(), shards.kept_bytes() + shards.buffer_bytes());
}

TEST_P(ShardedLayersTest, WeightsAreWhatTheyWereWhenTheyAreAskedFor) {
  const auto base = whole(gemma(), dtype()), cut = sharded(gemma(), dtype());
  for (const int64_t layer : {3, 0, 4, 4, 1}) {
    for (size_t i = 0; i < kSites; ++i) {
      const auto site = static_cast<Site>(i);
      EXPECT_TRUE(
          cut->linear_weights(layer, site).weight.equal(base->linear_weights(layer, site).weight));
    }
  }
  ASSERT_TRUE(cut->shards()->settle().ok());
}

INSTANTIATE_TEST_SUITE_P(Families, ShardedLayersTest,
                         ::testing::Combine(::testing::Bool(),
                                            ::testing::Values(torch::kFloat32, torch::kBFloat16)));

TEST(ShardedLayers, AreNotTrained) {
  const auto cut = sharded(false, torch::kFloat32);
  EXPECT_THROW(cut->unfreeze(), c10::Error);
}

TEST(ShardedLayers, ExtendRowsOnOneRankAlone) {
  const auto base = whole(true, torch::kFloat32), cut = sharded(true, torch::kFloat32);
  if (test_gang()->rank() == test_gang()->size() - 1) {
    const auto cache = cut->new_cache(), own = base->new_cache();
    for (const std::vector<int32_t>& tokens : {std::vector<int32_t>{3, 1, 4}, {1}, {5}, {9, 2}}) {
      EXPECT_TRUE(cut->extend(*cache, tokens, nullptr).equal(base->extend(*own, tokens, nullptr)));
    }
  }
  ASSERT_TRUE(cut->shards()->settle().ok());
}

}  // namespace
}  // namespace prefixmem::trainer
