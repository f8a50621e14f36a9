// pmt explain --estimate
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/exit_codes.h"
#include "tests/unit/client/pmt_runner.h"

namespace prefixmem::client {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kConfig = R"({"model_type": "llama", "hidden_size": 64,
  "intermediate_size": 176, "num_hidden_layers": 5, "num_attention_heads": 8, "vocab_size": 512,
  "hidden_act": "silu", "num_key_value_heads": 4, "rms_norm_eps": 1e-5,
  "max_position_embeddings": 2048, "rope_theta": 10000.0})";

class EstimateTest : public testing::Test {
 protected:
  EstimateTest() { pmt.write("m/config.json", kConfig); }
  Outcome estimate(const std::string& spec, std::vector<std::string> more = {}) {
    pmt.write("job.yaml", spec);
    more.insert(more.begin(), {"explain", "--estimate", "job.yaml"});
    return pmt.run(more);
  }

  Pmt pmt;
};

TEST_F(EstimateTest, SaysWhatEachRankOfAJobNeeds) {
  const Outcome done =
      estimate("{name: j, model: m, data: {train: t.jsonl}, train: {max_steps: 1}}");
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.out, AllOf(HasSubstr("micro-batch:   at most 4,096 tokens"),
                              HasSubstr("\nactivations:"), HasSubstr("\neach rank:"),
                              HasSubstr("with train.activation_checkpointing on")));
  EXPECT_TRUE(pmt.service.checked.empty()) << "it needs no coordinator";
}

TEST_F(EstimateTest, OfAMicroBatchThatIsLargerMoreAndItsSumIsItsParts) {
  const auto of = [&](int tokens) {
    const Outcome done =
        estimate("{name: j, model: m, data: {train: t.jsonl}, train: {max_steps: 1}}",
                 {"-o", "json", "--set", "train.micro_batch_tokens=" + std::to_string(tokens)});
    return done.json()["memory"][0];
  };
  const auto small = of(512), large = of(2048);
  const auto bytes = [](const nlohmann::json& job, const char* part) {
    return std::stoll(job["estimate"][part].get<std::string>());
  };
  EXPECT_EQ(large["tokens"], "2048");
  EXPECT_GT(bytes(large, "activations"), 3 * bytes(small, "activations"));
  EXPECT_EQ(bytes(large, "adapter"), bytes(small, "adapter"));
  int64_t sum = 0;
  for (const char* part :
       {"weights", "adapter", "optimizer", "activations", "working", "program"}) {
    sum += bytes(large, part);
  }
  EXPECT_EQ(bytes(large, "total"), sum);
}

TEST_F(EstimateTest, OfASweepIsARowATrial) {
  const Outcome done = estimate(
      "{name: s, model: m, data: {train: t.jsonl}, train: {max_steps: 1},"
      " sweep: {grid: {method: [lora, full]}}}");
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.out, AllOf(HasSubstr("s-1"), HasSubstr("lora"), HasSubstr("s-2"),
                              HasSubstr("full"), HasSubstr("checkpointed")));
}

TEST_F(EstimateTest, OfAModelOfTheCoordinatorsIsAsked) {
  pmt.service.memory.emplace_back().set_name("asked");
  pmt.service.memory.back().mutable_estimate()->set_total(3 << 20);
  const std::string spec =
      "{name: j, model: models://tiny, data: {train: t.jsonl}, train: {max_steps: 1}}";
  const Outcome done = estimate(spec);
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("each rank:     3.00 MiB"));
  EXPECT_TRUE(pmt.service.checked.back().memory());
  pmt.service.memory.clear();
  EXPECT_THAT(estimate(spec).err, HasSubstr("having no config.json or being too old; --set"));
}

TEST_F(EstimateTest, WithoutAConfigSaysHowToGiveOne) {
  const Outcome done =
      estimate("{name: j, model: away, data: {train: t.jsonl}, train: {max_steps: 1}}");
  EXPECT_EQ(done.code, exit_code(not_found("")));
  EXPECT_THAT(done.err, AllOf(HasSubstr("--set model=FOLDER"), HasSubstr("away/config.json")));
  EXPECT_EQ(estimate("{model: m}").code, exit_code(invalid_argument("")));
  EXPECT_EQ(pmt.run({"explain", "--estimate", "nowhere.yaml"}).code, exit_code(not_found("")));
  EXPECT_EQ(pmt.run({"explain", "--set", "train.seed=1"}).code, 2);
}

}  // namespace
}  // namespace prefixmem::client
