// What jobs are placed by.
#include "common/memory/placed.h"

#include <gtest/gtest.h>

#include "common/spec/spec_io.h"
#include "tests/unit/common/spec_example.h"

namespace prefixmem::memory {
namespace {

ModelConfig model() {
  return *parse_model_config(R"({"model_type": "llama", "hidden_size": 512,
    "intermediate_size": 2048, "num_hidden_layers": 8, "num_attention_heads": 8,
    "vocab_size": 32000, "hidden_act": "silu", "num_key_value_heads": 8, "rms_norm_eps": 1e-5,
    "max_position_embeddings": 4096, "rope_theta": 10000.0})");
}

JobSpec spec() {
  JobSpec spec = *parse_job_spec(kMinimalSpec);
  spec.train.micro_batch_tokens = 2048;
  spec.train.global_batch_size = 4;
  spec.data.max_tokens = 128;
  return spec;
}

Placed of(const JobSpec& spec, bool shares_gang = false) {
  const auto placed = memory::placed(spec, model(), shares_gang);
  EXPECT_TRUE(placed.ok()) << placed.status().message();
  return *placed;
}

TEST(Placed, RanksOfAHostShareWeightsThatNobodyTrains) {
  JobSpec one = spec();
  EXPECT_GT(of(one).host_shared, 0);
  one.train.dtype = Dtype::kFp32;
  EXPECT_EQ(of(one).host_shared, 0) << "they are a copy of each rank's own";
  one = spec();
  one.method = FullMethod{};
  EXPECT_EQ(of(one).host_shared, 0);
  EXPECT_GT(of(one).own, of(spec()).own);
}

TEST(Placed, AGangThatOthersFillHoldsWholeMicroBatches) {
  EXPECT_GT(of(spec(), true).host_rank, of(spec()).host_rank) << "4 rows of 128 are 512 of 2048";
  EXPECT_EQ(of(spec(), true).own, of(spec()).own);
}

TEST(Placed, IsOnTheFewestRanksWithAsMuchComputedAgainAsMayBe) {
  JobSpec one = spec();
  one.train.global_batch_size = 64;
  const int64_t off = of(one).host_rank;
  one.train.activation_checkpointing = Checkpointing::kAuto;
  EXPECT_LT(of(one).host_rank, off);
  one = spec();
  one.resources.ranks = 4;
  const int64_t four = of(one).host_rank;
  one.resources.min_ranks = 1;
  EXPECT_GT(of(one).host_rank, four);
}

// Layers of this model have 4 · 512² + 3 · 512 · 2048 values each, in bf16.
TEST(Placed, RanksThatShareLayersHaveAPartOfEachAndThreeWhole) {
  JobSpec one = spec();
  one.resources.ranks = 4;
  const PassSize pass = largest_pass(one, model());
  const int64_t whole = estimate(one, model(), pass)->weights;
  one.resources.shard_base = true;
  const int64_t layer = int64_t{2} * (4 * 512 * 512 + 3 * 512 * 2048);
  EXPECT_EQ(estimate(one, model(), pass)->weights, whole - 8 * layer + 8 * layer / 4 + 3 * layer);
  EXPECT_EQ(gathered_bytes(one, model()), 3 * layer);
  EXPECT_EQ(of(one).host_shared, 0) << "each has its own";
  one.resources.min_ranks = 1;
  EXPECT_EQ(of(one).host_shared, of(spec()).host_shared) << "one rank has all of it";
  one.resources.ranks = 1;
  EXPECT_EQ(gathered_bytes(one, model()), 0);
}

TEST(SettingsThatFit, AreThoseThatCostLeastFirst) {
  JobSpec one = spec();
  one.train.micro_batch_tokens = 8192;
  one.train.global_batch_size = 64;
  one.data.max_tokens = 64;
  const int64_t all = of(one).host_rank;
  const auto settings = [&](int64_t most) {
    return settings_that_fit(one, model(), false, [&](const JobSpec&, const Placed& placed) {
      return placed.host_rank <= most;
    });
  };
  EXPECT_EQ(settings(all - 1), "train.activation_checkpointing: auto");
  JobSpec again = one;
  again.train.activation_checkpointing = Checkpointing::kAuto;
  again.train.micro_batch_tokens = 1024;
  EXPECT_EQ(settings(of(again).host_rank),
            "train.activation_checkpointing: auto and train.micro_batch_tokens: 1024");
  one.train.activation_checkpointing = Checkpointing::kOn;
  EXPECT_EQ(settings(of(again).host_rank), "train.micro_batch_tokens: 1024");
  EXPECT_EQ(settings(1), "");
}

TEST(SettingsThatFit, SharesLayersWhereNoSmallerPassWillDo) {
  JobSpec one = spec();
  one.resources.ranks = 4;
  JobSpec cut = one;
  cut.resources.shard_base = true;
  const auto settings = [&](const JobSpec& job, int64_t most) {
    return settings_that_fit(job, model(), false, [&](const JobSpec&, const Placed& placed) {
      return placed.gpu_rank <= most;
    });
  };
  EXPECT_EQ(settings(one, of(cut).gpu_rank), "resources.shard_base: true");
  JobSpec again = cut;
  again.train.activation_checkpointing = Checkpointing::kAuto;
  ASSERT_LT(of(again).gpu_rank, of(cut).gpu_rank);
  EXPECT_EQ(settings(one, of(again).gpu_rank),
            "resources.shard_base: true and train.activation_checkpointing: auto");
  EXPECT_EQ(settings(cut, 1), "");
  one.resources.ranks = 1;
  EXPECT_EQ(settings(one, of(cut).gpu_rank), "") << "there is nobody to share with";
}

}  // namespace
}  // namespace prefixmem::memory
