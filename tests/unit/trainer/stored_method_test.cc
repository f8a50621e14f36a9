// The method of an adapter's folder, told from the folder alone.
#include "worker/trainer/adapters/stored_method.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/model/lora_targets.h"
#include "tests/unit/trainer/scratch_folder.h"
#include "tests/unit/trainer/tiny_adapters.h"

namespace prefixmem::trainer {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::EndsWith;

const char* const kConfig = "adapter_config.json";

std::vector<MethodSpec> methods() {
  const PrefixMemoryMethod hidden{.feature_map = PrefixMemoryMethod::FeatureMap::kGelu,
                                  .scope = PrefixMemoryMethod::Scope::kHidden,
                                  .layers = {"1-2"}};
  const PrefixMemoryMethod mlp{.feature_map = PrefixMemoryMethod::FeatureMap::kMlp,
                               .feature_dim = 5,
                               .query = PrefixMemoryMethod::Query::kPreRope};
  const PrefixTuningMethod prefix{.num_virtual_tokens = 3, .prefix_projection = true};
  const LoraMethod lora{3, 12, {"q_proj", "down_proj"}};
  return {hidden, mlp, prefix, lora, CombinedMethod{{mlp, prefix, lora}}};
}

TEST(StoredMethod, MakesAnAdapterThatTakesTheFolder) {
  for (const MethodSpec& method : methods()) {
    const ScratchFolder folder;
    const ModelConfig config = tiny_config(true);
    ASSERT_TRUE(tiny_adapter(method, config)->save(folder.path(), "base").ok());
    const auto stored = stored_method(folder.path());
    ASSERT_TRUE(stored.ok()) << stored.status().message();
    EXPECT_EQ(method_name(*stored), method_name(method));
    const Status loaded = tiny_adapter(*stored, config, 9)->load(folder.path());
    EXPECT_TRUE(loaded.ok()) << loaded.message();
  }
}

TEST(StoredMethod, TakesAMemoryOfBeforeTheNewerKeys) {
  const ScratchFolder folder;
  folder.write(kConfig,
               R"({"method": "prefix_memory", "feature_map": "elu", "query": "post_rope"})");
  const auto stored = stored_method(folder.path());
  ASSERT_TRUE(stored.ok()) << stored.status().message();
  EXPECT_EQ(std::get<PrefixMemoryMethod>(*stored).layers, std::vector<std::string>{"all"});
}

TEST(StoredMethod, RefusesWhatNamesNoMethodOfOurs) {
  const ScratchFolder folder;
  EXPECT_EQ(stored_method(folder.path()).status().code(), Code::kNotFound);
  const auto refusal = [&](const char* config) {
    folder.write(kConfig, config);
    const Status status = stored_method(folder.path()).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << config;
    return status.message();
  };
  EXPECT_THAT(refusal("{}"), EndsWith("method is missing; allowed: prefix_memory, combined"));
  EXPECT_THAT(refusal(R"({"peft_type": "IA3"})"),
              EndsWith("peft_type is \"IA3\"; allowed: PREFIX_TUNING, LORA"));
  EXPECT_THAT(refusal(R"({"method": "prefix_memory", "scope": 3})"),
              EndsWith("scope is 3; allowed: head, hidden"));
  EXPECT_THAT(refusal(R"({"method": "prefix_memory", "layers": [0, -1]})"),
              EndsWith("layers is [0,-1]; allowed: a list of whole numbers from 0"));
  EXPECT_THAT(refusal(R"({"method": "combined", "parts": ["../x"]})"),
              EndsWith("allowed: a list of prefix_memory, prefix_tuning, lora, each once"));
  EXPECT_THAT(
      refusal(R"({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": [1]})"),
      EndsWith("target_modules is [1]; allowed: a list of names, or one regular expression"));
  EXPECT_THAT(
      refusal(R"({"peft_type": "LORA", "r": 9999, "lora_alpha": 8, "target_modules": "q"})"),
      EndsWith("r is 9999; allowed: a whole number from 1 to 4096"));
}

std::vector<std::string> targets_of(const char* config) {
  const ScratchFolder folder;
  json object = json::parse(config);
  object.update({{"peft_type", "LORA"}, {"r", 4}, {"lora_alpha", 8}});
  folder.write(kConfig, object.dump());
  const auto stored = stored_method(folder.path());
  if (!stored.ok()) return {stored.status().message()};
  const auto targets = find_lora_targets(std::get<LoraMethod>(*stored).target_modules, 3);
  return targets.ok() ? peft_target_modules(*targets) : std::vector{targets.status().message()};
}

// What peft.tuners.tuners_utils.check_target_module_exists finds.
TEST(StoredMethod, FindsPeftsTargetsInSomeLayers) {
  EXPECT_THAT(targets_of(R"({"target_modules": ["q_proj", "mlp.up_proj"],
                             "layers_to_transform": [0, 2], "layers_pattern": null})"),
              ElementsAre("model.layers.0.self_attn.q_proj", "model.layers.0.mlp.up_proj",
                          "model.layers.2.self_attn.q_proj", "model.layers.2.mlp.up_proj"));
  EXPECT_THAT(targets_of(R"({"target_modules": ["q_proj", "model.layers.0.mlp.up_proj"],
                             "layers_to_transform": 1, "layers_pattern": ["layers"]})"),
              ElementsAre("model.layers.0.mlp.up_proj", "model.layers.1.self_attn.q_proj"));
  EXPECT_THAT(targets_of(R"({"target_modules": ["q_proj"], "layers_to_transform": [],
                             "layers_pattern": "", "exclude_modules": []})"),
              ElementsAre("q_proj"));
}

TEST(StoredMethod, RefusesWhatElseChoosesPeftsTargets) {
  const auto refusal = [](const char* config) { return targets_of(config).at(0); };
  EXPECT_THAT(refusal(R"({"target_modules": ["q_proj"], "layers_to_transform": ["0"]})"),
              EndsWith("layers_to_transform is [\"0\"]; allowed: a whole number from 0, or a list "
                       "of them"));
  EXPECT_THAT(refusal(R"({"target_modules": ".*q_proj", "layers_to_transform": [0]})"),
              EndsWith("layers_to_transform is [0]; allowed: null beside a regular expression"));
  EXPECT_THAT(refusal(R"({"target_modules": ["q_proj"], "layers_to_transform": [0],
                          "layers_pattern": ["h"]})"),
              EndsWith("layers_pattern is [\"h\"]; allowed: \"layers\""));
  EXPECT_THAT(refusal(R"({"target_modules": ["q_proj"], "exclude_modules": ["v_proj"]})"),
              EndsWith("exclude_modules is [\"v_proj\"]; allowed: null, with target_modules naming "
                       "only what has an update"));
}

TEST(StoredMethod, RefusesPartsThatAreNotWhatTheyAreCalled) {
  const ScratchFolder folder;
  folder.write(kConfig, R"({"method": "combined", "parts": ["lora", "lora"]})");
  EXPECT_THAT(stored_method(folder.path()).status().message(), EndsWith("each once"));

  folder.write(kConfig, R"({"method": "combined", "parts": ["lora"]})");
  std::filesystem::create_directory_symlink(".", folder.path() / "lora");
  const Status status = stored_method(folder.path()).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.message(),
              EndsWith("lora/adapter_config.json is of method combined; allowed: lora"));
}

}  // namespace
}  // namespace prefixmem::trainer
