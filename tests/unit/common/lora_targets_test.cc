#include "common/model/lora_targets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prefixmem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr size_t kQ = static_cast<size_t>(Site::kQ), kV = static_cast<size_t>(Site::kV),
                 kUp = static_cast<size_t>(Site::kUp);

LoraTargets found(const std::vector<std::string>& entries) {
  auto targets = find_lora_targets(entries, 12);
  EXPECT_TRUE(targets.ok()) << targets.status().message();
  return targets.ok() ? *targets : LoraTargets(12);
}

LoraTargets sites(std::initializer_list<size_t> of_each_layer) {
  LoraTargets targets(12);
  for (auto& layer : targets) {
    for (const size_t site : of_each_layer) layer.set(site);
  }
  return targets;
}

TEST(LoraTargets, NamesAreThoseOfEachLayer) {
  EXPECT_EQ(found({"v_proj", "q_proj", "v_proj"}), sites({kQ, kV}));
  EXPECT_EQ(found({"all-linear"}), sites({0, 1, 2, 3, 4, 5, 6}));
}

TEST(LoraTargets, ExpressionsMatchTheWholeName) {
  LoraTargets expected(12);
  for (const size_t layer : {1, 2}) expected[layer].set(kQ).set(kV);
  EXPECT_EQ(found({R"(model\.layers\.[12]\.self_attn\.(q|v)_proj)"}), expected);
  EXPECT_EQ(found({R"(.*\.[12]\.self_attn\.q_proj)", R"(.*\.[12]\..*v_proj)"}), expected);
  LoraTargets one(12);
  one[11].set(kUp);
  EXPECT_EQ(found({"model.layers.11.mlp.up_proj"}), one);
  EXPECT_EQ(found({".*"}), found({"all-linear"}));
}

TEST(LoraTargets, NamesAndExpressionsTogether) {
  LoraTargets expected = sites({kQ});
  expected[0].set(kUp);
  EXPECT_EQ(found({"q_proj", R"(model\.layers\.0\.mlp\.up_proj)"}), expected);
}

std::string refusal(const std::vector<std::string>& entries) {
  const auto targets = find_lora_targets(entries, 12);
  EXPECT_EQ(targets.status().code(), Code::kInvalidArgument);
  return targets.status().message();
}

TEST(LoraTargets, RefuseByNameWhatMatchesNothing) {
  EXPECT_THAT(refusal({"q_proj", "lm_head"}),
              HasSubstr("holds \"lm_head\", which is the name of no linear module; allowed: "
                        "q_proj, k_proj"));
  EXPECT_THAT(refusal({"proj"}), HasSubstr("holds \"proj\""));
  EXPECT_THAT(refusal({"q_proj", "layers.3.*"}),
              HasSubstr("holds \"layers.3.*\", which matches no linear module; allowed: "));
  EXPECT_THAT(refusal({R"(model\.layers\.12\..*)"}), HasSubstr("matches no linear module"));
  EXPECT_THAT(refusal({"(q_proj"}), HasSubstr("is no regular expression: missing )"));
  EXPECT_THAT(refusal({"all-linear", "q_proj"}), HasSubstr("or all-linear alone"));
  EXPECT_THAT(refusal({}), HasSubstr("method.target_modules is []; allowed: q_proj"));
}

// A list of PEFT's may hold the last parts of a name, with dots that are dots.
TEST(LoraTargets, EntriesOfPeftsListMatchTheEndOfAName) {
  EXPECT_EQ(entry_of_peft("q_proj"), "q_proj");
  EXPECT_EQ(found({entry_of_peft("self_attn.q_proj")}), sites({kQ}));
  LoraTargets one(12);
  one[1].set(kUp);
  for (const char* entry :
       {"1.mlp.up_proj", "layers.1.mlp.up_proj", "model.layers.1.mlp.up_proj"}) {
    EXPECT_EQ(found({entry_of_peft(entry)}), one);
  }
  EXPECT_FALSE(find_lora_targets({entry_of_peft("attn.q_proj")}, 12).ok());
}

// Backtracking would take longer than the universe lasts; this one is linear in the name.
TEST(LoraTargets, NoExpressionHangs) {
  std::string nested = "x";
  for (int i = 0; i < 30; ++i) nested = "(" + nested + "*)*";
  EXPECT_THAT(refusal({"(.*.*)*.*" + nested + "!"}), HasSubstr("!\", which "));
}

TEST(LoraTargets, PeftsListFindsTheSameModules) {
  EXPECT_THAT(peft_target_modules(sites({kQ, kUp})), ElementsAre("q_proj", "up_proj"));
  LoraTargets uneven(12);
  uneven[10].set(kV);
  uneven[1].set(kQ).set(kUp);
  EXPECT_THAT(peft_target_modules(uneven),
              ElementsAre("model.layers.1.self_attn.q_proj", "model.layers.1.mlp.up_proj",
                          "model.layers.10.self_attn.v_proj"));
}

}  // namespace
}  // namespace prefixmem
