// What the coordinator does with what jobs are predicted to need of memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/spec/spec_io.h"
#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr int64_t kGiB = int64_t{1} << 30;

// 1.24e9 weights.
constexpr const char* kConfig = R"({"model_type": "llama", "hidden_size": 2048,
  "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
  "vocab_size": 128256, "hidden_act": "silu", "num_key_value_heads": 8, "rms_norm_eps": 1e-5,
  "max_position_embeddings": 8192, "rope_theta": 500000.0, "tie_word_embeddings": true})";

class JobMemoryTest : public CoordinatorTest {
 protected:
  void SetUp() override {
    CoordinatorTest::SetUp();
    memory_["maker"] = 0;
    ASSERT_TRUE(connect("maker", 1).ok());
    submit("model");
    for (const auto& [path, text] : {std::pair{"adapter/config.json", kConfig},
                                     std::pair{"adapter/model.safetensors", "weights"}}) {
      bring("model/1", path, text);
    }
    ASSERT_TRUE(ended("maker", "model/1", "OK").ok());
    ASSERT_TRUE(heartbeat("maker", {}, /*draining=*/true).ok());
    disconnect("maker");
  }
  // A worker of two slots.
  void offer(const std::string& id, int64_t bytes) {
    memory_[id] = bytes;
    ASSERT_TRUE(connect(id, 2).ok());
  }
  JobSpec spec_of(const std::string& name, const std::string& more = "") {
    JobSpec wanted = spec(name, more);
    wanted.model = "job://model";
    return wanted;
  }
  Status submit_with_model(const std::string& name, const std::string& more = "") {
    return coordinator().submit(spec_of(name, more), "").status();
  }
  static ToldModels told_of(const std::string& model) {
    google::protobuf::RepeatedPtrField<v1::ModelConfig> configs;
    configs.Add()->set_model(model);
    configs.Mutable(0)->set_config_json(kConfig);
    return told_models(configs).value();
  }
  v1::Worker seen(const std::string& id) {
    for (const v1::Worker& worker : coordinator().workers()) {
      if (worker.id() == id) return worker;
    }
    ADD_FAILURE() << "there is no worker " << id;
    return {};
  }
};

TEST_F(JobMemoryTest, AJobIsPlacedByWhatItsModelAndSpecNeed) {
  offer("w", 64 * kGiB);
  ASSERT_TRUE(submit_with_model("a").ok());
  coordinator().tick();
  EXPECT_THAT(state("a"), StartsWith("starting: 1 rank on worker w"));
  const v1::PlacedMemory placed = job("a").memory();
  EXPECT_NEAR(static_cast<double>(placed.host_shared()), 2471628800, 16 << 20)
      << "2 bytes of each weight, once a host";
  EXPECT_GT(placed.host_rank(), kGiB);
  EXPECT_GT(placed.gpu_rank(), placed.host_shared());
  EXPECT_GT(placed.own(), 0);
  EXPECT_EQ(seen("w").used_slots(), 1);
  EXPECT_EQ(seen("w").memory_bytes(), 64 * kGiB);
  EXPECT_EQ(link("w")->sent.back().assign().memory_bytes(), 32 * kGiB) << "of its slot";
  submit("b");
  EXPECT_FALSE(job("b").has_memory()) << "its model is a path on workers";
}

TEST_F(JobMemoryTest, OneThatNeedsTheMemoryOfTwoSlotsHoldsBoth) {
  ASSERT_TRUE(submit_with_model("a").ok());
  const v1::PlacedMemory placed = job("a").memory();
  const int64_t bytes = placed.host_shared() + placed.host_rank() + placed.own();
  offer("w", bytes + kGiB);
  coordinator().tick();
  EXPECT_EQ(state("a"), "starting: 1 rank, with the memory of 2 slots, on worker w");
  EXPECT_EQ(seen("w").used_slots(), 2);
  submit("b");
  coordinator().tick();
  EXPECT_EQ(state("b"), "queued: waits for 1 slot of one worker to be free");
  restart();
  EXPECT_EQ(seen("w").used_slots(), 2) << "it is kept with the job";
  offer("w", 64 * kGiB);
  coordinator().tick();
  EXPECT_EQ(seen("w").used_slots(), 2) << "it goes on with what it has begun with";
  EXPECT_EQ(state("b"), "queued: waits for 1 slot of one worker to be free");
}

TEST_F(JobMemoryTest, RanksThatFitNoWorkerTogetherGoToSeveral) {
  ASSERT_TRUE(submit_with_model("a", "resources: {ranks: 2}").ok());
  const v1::PlacedMemory placed = job("a").memory();
  const int64_t bytes = placed.host_shared() + placed.host_rank() + placed.own() + (64 << 20);
  offer("v", bytes);
  offer("w", bytes);
  coordinator().tick();
  EXPECT_EQ(state("a"), "starting: 2 ranks on 2 workers: 1 on v, 1 on w");
  EXPECT_EQ(job("a").hosts(0).memory_bytes(), bytes / 2 * 2);
  EXPECT_EQ(link("w")->sent.back().assign().hosts(1).memory_bytes(), bytes / 2 * 2);
}

TEST_F(JobMemoryTest, OneThatFitsNoWorkerIsRefusedWithTheNumbersAndWhatWouldFit) {
  offer("w", 8 * kGiB);
  JobSpec large = spec_of("a");
  large.train.micro_batch_tokens = 65536;
  large.train.global_batch_size = 64;
  const Status refused = coordinator().submit(large, "").status();
  EXPECT_EQ(refused.code(), Code::kResourceExhausted);
  EXPECT_THAT(refused.message(), StartsWith("a: a rank needs "));
  EXPECT_THAT(refused.message(), HasSubstr(" GiB of memory, the largest worker has 8.00 GiB; it "
                                           "fits with train.activation_checkpointing: auto and "
                                           "train.micro_batch_tokens: "));
  const std::string tokens =
      refused.message().substr(refused.message().find("micro_batch_tokens: ") + 20);
  large.train.micro_batch_tokens = std::stoll(tokens);
  large.train.activation_checkpointing = Checkpointing::kAuto;
  EXPECT_TRUE(coordinator().submit(large, "").ok()) << tokens;
  offer("tiny", kGiB);
  disconnect("w");
  EXPECT_TRUE(submit_with_model("b").ok()) << "w may come back";
}

TEST_F(JobMemoryTest, WhereTheModelItselfDoesNotFitNoSettingHelps) {
  offer("w", kGiB);
  EXPECT_THAT(submit_with_model("a").message(),
              HasSubstr("the largest worker has 1.00 GiB; no setting of its micro-batches makes it "
                        "fit"));
}

TEST_F(JobMemoryTest, WhereTheModelItselfFitsInPartsThatIsSaid) {
  const auto submit_small = [&](const char* name, const std::string& resources) {
    JobSpec wanted = spec_of(name, "resources: " + resources);
    wanted.train.micro_batch_tokens = 64;
    return coordinator().submit(wanted, "").status();
  };
  ASSERT_TRUE(submit_small("cut", "{ranks: 4, shard_base: true}").ok()) << "nobody is here yet";
  const v1::PlacedMemory cut = job("cut").memory();
  EXPECT_EQ(cut.host_shared(), 0);
  const int64_t bytes = cut.host_rank() + cut.own() + (64 << 20);
  for (const char* worker : {"s", "t", "u"}) offer(worker, bytes);
  const auto refusal = [&] { return submit_small("b", "{ranks: 4}").message(); };
  EXPECT_THAT(refusal(), HasSubstr("no setting of its micro-batches makes it fit"))
      << "three have no room for four parts";
  offer("v", bytes);
  EXPECT_THAT(refusal(), EndsWith("it fits with resources.shard_base: true"));
  EXPECT_TRUE(submit_small("c", "{ranks: 4, shard_base: true}").ok());
}

TEST_F(JobMemoryTest, NoneIsRefusedWhereLargerWorkersMayCome) {
  EXPECT_TRUE(submit_with_model("a").ok()) << "nobody is here yet";
  offer("w", kGiB);
  coordinator().tick();
  EXPECT_THAT(state("a"), HasSubstr("GiB of memory, the largest worker has 1.00 GiB"));
  config_.brings_workers = true;
  restart();
  offer("w", kGiB);
  EXPECT_TRUE(submit_with_model("b").ok()) << "a batch system may bring one";
}

TEST_F(JobMemoryTest, AModelOnWorkersIsPlacedByWhatTheClientTellsOfIt) {
  offer("w", 64 * kGiB);
  ASSERT_TRUE(submit_with_model("kept").ok());
  const JobSpec wanted = spec("a");
  const ToldModels told = told_of(wanted.model);
  ASSERT_TRUE(coordinator().submit(wanted, "", auth::kDefaultTenant, told).ok());
  EXPECT_EQ(job("a").memory().SerializeAsString(), job("kept").memory().SerializeAsString());
  const auto checked = coordinator().check_job(wanted, "", auth::kDefaultTenant, told, true);
  ASSERT_TRUE(checked.ok());
  EXPECT_EQ(checked->memory_size(), 1);
  submit("b");
  EXPECT_FALSE(job("b").has_memory()) << "nobody told of it with this submission";
}

TEST_F(JobMemoryTest, OneThatTheClientTellsOfIsRefusedWithWhatWouldFit) {
  offer("w", 8 * kGiB);
  JobSpec large = spec("a");
  large.train.micro_batch_tokens = 65536;
  large.train.global_batch_size = 64;
  const auto refused =
      coordinator().submit(large, "", auth::kDefaultTenant, told_of(large.model)).status();
  EXPECT_EQ(refused.code(), Code::kResourceExhausted);
  EXPECT_THAT(refused.message(), HasSubstr("it fits with train.activation_checkpointing: auto"));
}

TEST_F(JobMemoryTest, WhatIsToldIsBounded) {
  google::protobuf::RepeatedPtrField<v1::ModelConfig> configs;
  configs.Add()->set_config_json("no JSON");
  EXPECT_TRUE(told_models(configs)->empty());
  configs.Add()->set_config_json(std::string((1 << 20) + 1, ' '));
  configs.Mutable(1)->set_model("/m");
  EXPECT_EQ(told_models(configs).status().message(),
            "the config_json of model \"/m\" has 1048577 bytes; allowed: at most 1048576");
  configs.Clear();
  for (int i = 0; i < 101; ++i) configs.Add();
  EXPECT_EQ(told_models(configs).status().message(),
            "model_configs has 101 entries; allowed: at most 100");
}

// One trial after the other.
constexpr const char* kSearch = R"(
name: s
model: job://model
data: {train: t, eval: e}
train: {max_steps: 9, eval_every: 1}
sweep:
  search: random
  budget: {trials: 3}
  max_concurrent: 1
  goal: {metric: loss, mode: min}
  space: {train.weight_decay: {type: uniform, low: 0.1, high: 0.2}}
)";

TEST_F(JobMemoryTest, TrialsThatASearchBeginsLaterArePlacedByWhatWasToldToo) {
  auto sweep = parse_job_spec(kSearch);
  ASSERT_TRUE(sweep.ok()) << sweep.status().message();
  sweep->model = "/m";
  ASSERT_TRUE(coordinator().submit(*sweep, "", auth::kDefaultTenant, told_of("/m")).ok());
  offer("w", 64 * kGiB);
  coordinator().tick();
  ASSERT_TRUE(ended("w", "s-1/1", "OK").ok());
  pass(Millis(200));
  EXPECT_TRUE(job("s-1").has_memory());
  EXPECT_TRUE(job("s-2").has_memory());
  restart();
  offer("w", 64 * kGiB);
  coordinator().tick();
  ASSERT_TRUE(ended("w", "s-2/1", "OK").ok());
  pass(Millis(200));
  EXPECT_TRUE(job("s-3").has_memory()) << "though the coordinator has been started anew";
  const std::string sweep_id = job("s-3").sweep_id();
  EXPECT_EQ(coordinator().reader().told_models(sweep_id)->size(), 1u);
  coordinator().tick();
  ASSERT_TRUE(ended("w", "s-3/1", "OK").ok());
  pass(Millis(200));
  EXPECT_TRUE(coordinator().reader().told_models(sweep_id)->empty()) << "no trial comes any more";
}

TEST_F(JobMemoryTest, TrialsThatASearchBeginsLaterArePlacedByItToo) {
  const auto sweep = parse_job_spec(kSearch);
  ASSERT_TRUE(sweep.ok()) << sweep.status().message();
  ASSERT_TRUE(coordinator().submit(*sweep, "").ok());
  restart();
  offer("w", 64 * kGiB);
  coordinator().tick();
  ASSERT_TRUE(ended("w", "s-1/1", "OK").ok());
  pass(Millis(200));
  EXPECT_TRUE(job("s-1").has_memory());
  EXPECT_TRUE(job("s-2").has_memory()) << "though the coordinator has been started anew";
}

}  // namespace
}  // namespace prefixmem
