#include "common/proto/spec_proto.h"

#include <gtest/gtest.h>

#include <limits>

#include "common/spec/spec_io.h"
#include "tests/unit/common/spec_example.h"

namespace prefixmem {
namespace {

v1::JobSpec minimal() {
  v1::JobSpec message;
  message.set_name("a");
  message.set_model("/m");
  message.mutable_data()->set_train("rows.jsonl");
  message.mutable_train()->set_max_steps(1);
  return message;
}

std::string refusal(const v1::JobSpec& message) {
  const Status status = job_spec_from_proto(message).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  return status.message();
}

TEST(SpecProto, AbsentFieldsTakeTheirDefaults) {
  const auto spec = job_spec_from_proto(minimal());
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  EXPECT_EQ(to_yaml(*spec), to_yaml(*parse_job_spec(kMinimalSpec)));
}

TEST(SpecProto, ReadsUnionsMapsAndSweeps) {
  v1::JobSpec message = minimal();
  message.mutable_method()->mutable_lora()->set_r(4);
  message.mutable_method()->mutable_lora()->add_target_modules("q_proj");
  message.mutable_objective()->mutable_sft();
  (*message.mutable_labels())["team"] = "nlp";
  (*message.mutable_sweep()->mutable_grid())["train.seed"].add_values("1");
  (*message.mutable_sweep()->mutable_grid())["train.seed"].add_values("2");
  (*message.mutable_sweep()->add_trials()->mutable_overrides())["method"] = "{type: lora, r: 2}";
  const auto spec = job_spec_from_proto(message);
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  EXPECT_EQ(std::get<LoraMethod>(spec->method).r, 4);
  EXPECT_EQ(std::get<LoraMethod>(spec->method).target_modules, std::vector<std::string>{"q_proj"});
  EXPECT_EQ(spec->labels.at("team"), "nlp");
  const auto trials = expand_sweep(*spec);
  ASSERT_TRUE(trials.ok());
  ASSERT_EQ(trials->size(), 2u);
  EXPECT_EQ(std::get<LoraMethod>((*trials)[1].method).r, 2);
  EXPECT_EQ((*trials)[1].train.seed, 2);
}

TEST(SpecProto, WritesDefaultsOut) {
  const auto spec = parse_job_spec(kMinimalSpec);
  const v1::JobSpec message = job_spec_to_proto(*spec);
  EXPECT_EQ(message.method().type_case(), v1::MethodSpec::kPrefixMemory);
  EXPECT_EQ(message.method().prefix_memory().feature_map(), "elu");
  EXPECT_EQ(message.train().learning_rate(), 1e-3);
  EXPECT_FALSE(message.train().has_epochs());
  EXPECT_FALSE(message.has_sweep());
  EXPECT_TRUE(message.eval().has_before());
}

// The same mistake gets the same sentence in both spellings.
TEST(SpecProto, MessagesAreThoseOfYaml) {
  v1::JobSpec message = minimal();
  message.mutable_train()->set_dtype("fp16");
  EXPECT_EQ(refusal(message), "train.dtype is fp16; allowed: bf16, fp32");
  EXPECT_EQ(refusal(message), parse_job_spec("train: {dtype: fp16}").status().message());
  message = minimal();
  message.mutable_train()->set_learning_rate(std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(refusal(message), "train.learning_rate is nan; allowed: a number above 0");
  message = minimal();
  message.mutable_resources()->set_ranks(0);
  EXPECT_EQ(refusal(message),
            "resources.ranks is 0; allowed: a whole number of at least 1 and at most 1024");
  message = minimal();
  message.mutable_method();
  EXPECT_EQ(
      refusal(message),
      "method.type is missing; allowed: prefix_memory, prefix_tuning, lora, full, combined, none");
  message = minimal();
  message.clear_model();
  EXPECT_EQ(refusal(message), "model is missing; required: a Hugging Face folder or a GGUF file");
}

TEST(SpecProto, BadSweepValuesAreNamed) {
  v1::JobSpec message = minimal();
  (*message.mutable_sweep()->mutable_grid())["train.seed"].add_values("[1");
  EXPECT_TRUE(refusal(message).starts_with("grid.train.seed: line 1, column ")) << refusal(message);
  message = minimal();
  (*message.mutable_sweep()->mutable_grid())["train.seed"];
  EXPECT_EQ(refusal(message),
            "sweep.grid.train.seed is a list; allowed: a list of at least one value");
}

TEST(SpecProto, ManyLabelsAreNoTrouble) {
  v1::JobSpec message = minimal();
  for (int i = 0; i < 50000; ++i) (*message.mutable_labels())["k" + std::to_string(i)] = "v";
  const auto spec = job_spec_from_proto(message);
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  EXPECT_EQ(job_spec_to_proto(*spec).labels().size(), 50000u);
}

TEST(SpecProto, AHugeSpecIsRefused) {
  v1::JobSpec message = minimal();
  message.mutable_data()->set_eval(std::string(size_t{2} << 20, 'x'));
  EXPECT_TRUE(refusal(message).ends_with("bytes long; allowed: at most 1048576"));
}

}  // namespace
}  // namespace prefixmem
