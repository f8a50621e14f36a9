// LoRA: how it begins, and that it equals a model with merged weights.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "tests/unit/trainer/lora_fixture.h"

namespace prefixmem::trainer {
namespace {

class LoraTest : public testing::TestWithParam<bool> {
 protected:
  // The trained adapter equals its merged weights and is not the base.
  void expect_merged(const LoraMethod& method, double scale) {
    const auto adapter = lora_of(method, *model);
    randomize(*adapter);
    const auto with = hidden_of(*model, adapter.get());
    expect_close(with, hidden_of(*merged(GetParam(), *adapter, scale), nullptr));
    EXPECT_FALSE(torch::allclose(with, hidden_of(*model, nullptr), 1e-2, 1e-2));
  }

  const std::unique_ptr<Transformer> model = tiny_transformer(GetParam());
};
INSTANTIATE_TEST_SUITE_P(Families, LoraTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Windowed" : "Plain"; });

TEST_P(LoraTest, EqualsMergedWeights) {
  expect_merged({3, 12, {"all-linear"}}, 4);
  expect_merged({3, 12, {"v_proj", "q_proj", "v_proj"}}, 4);
  for (size_t site = 0; site < kSites; ++site) {
    expect_merged({3, 12, {std::string(site_name(static_cast<Site>(site)))}}, 4);
  }
}

TEST_P(LoraTest, LayersMayHaveTargetsOfTheirOwn) {
  const LoraMethod method{3, 12, {R"(model\.layers\.[12]\.self_attn\.q_proj)", R"(.*2\.mlp.*)"}};
  expect_merged(method, 4);
  const auto adapter = lora_of(method, *model);
  EXPECT_EQ(adapter->parameters().size(), 2 * 5U);
  EXPECT_EQ(adapter->first_layer(), 1);
}

TEST_P(LoraTest, RankStabilisedScalesByTheRootOfTheRank) {
  expect_merged({.r = 4, .alpha = 6, .use_rslora = true}, 3);
}

TEST(Lora, StartsLikePeft) {
  const auto model = tiny_transformer(false);
  const auto adapter = lora_of({512, 16, {"down_proj"}}, *model);
  const auto& [name, a, ratio] = adapter->parameters()[0];
  EXPECT_EQ(name, "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight");
  EXPECT_EQ(a.sizes(), (std::vector<int64_t>{512, 24}));
  const double bound = 1 / std::sqrt(24.0);
  EXPECT_LE(a.abs().max().item<double>(), bound);
  EXPECT_NEAR(a.mean().item<double>(), 0, 0.03 * bound);
  EXPECT_NEAR(a.square().mean().item<double>(), bound * bound / 3, 0.01 * bound * bound);
  EXPECT_TRUE(torch::equal(adapter->parameters()[1].value, torch::zeros({16, 512})));
}

TEST(Lora, GaussianHasTheDeviationOfPefts) {
  const auto model = tiny_transformer(false);
  const LoraMethod method{.r = 512, .init_weights = LoraMethod::Init::kGaussian};
  const auto adapter = lora_of(method, *model);
  const auto scaled = value_of(*adapter, 0, "down_proj.lora_A.weight").to(torch::kDouble) * 512;
  const double count = 512 * 24;
  EXPECT_NEAR(scaled.mean().item<double>(), 0, 5 / std::sqrt(count));
  EXPECT_NEAR(scaled.square().mean().item<double>(), 1, 5 * std::sqrt(2 / count));
  EXPECT_NEAR(scaled.pow(4).mean().item<double>(), 3, 5 * std::sqrt(96 / count));
  EXPECT_EQ(value_of(*adapter, 0, "down_proj.lora_B.weight").abs().max().item<float>(), 0);
}

TEST(Lora, InitialWeightsDependOnSeedAndNameAlone) {
  const auto model = tiny_transformer(true);
  const auto values = [&](const std::vector<std::string>& modules, uint64_t seed) {
    const auto adapter = lora_of({4, 16, modules}, *model, seed);
    std::map<std::string, torch::Tensor> named;
    for (const auto& [name, value, ratio] : adapter->parameters()) named[name] = value;
    return named;
  };
  torch::manual_seed(1);
  const auto all = values({"all-linear"}, 7);
  torch::manual_seed(2);
  for (const auto& [name, value] : values({"k_proj", "up_proj"}, 7)) {
    EXPECT_TRUE(torch::equal(value, all.at(name))) << name;
  }
  const auto other = values({"all-linear"}, 8);
  std::vector<torch::Tensor> seen;
  for (const auto& [name, value] : all) {
    if (name.find("lora_A") == std::string::npos) continue;
    EXPECT_FALSE(torch::equal(value, other.at(name))) << name;
    for (const auto& before : seen) EXPECT_FALSE(torch::equal(value, before)) << name;
    seen.push_back(value);
  }
}

torch::Tensor delta_of(Adapter& adapter, int64_t layer, Site site, const torch::Tensor& x) {
  return adapter.linear_delta({layer, site, x, {}, {}, {}});
}

TEST(Lora, AccumulatesInFp32InABf16Run) {
  const auto adapter = tiny_adapter(LoraMethod{1, 1, {"q_proj"}}, tiny_config(false));
  for (auto& parameter : adapter->parameters()) parameter.value.data().fill_(1);
  const auto x = torch::ones({4096, 16}, torch::kBFloat16);
  const auto delta = delta_of(*adapter, 0, Site::kQ, x);
  EXPECT_EQ(delta.scalar_type(), torch::kBFloat16);
  EXPECT_TRUE(torch::equal(delta, torch::full({4096, 32}, 16, torch::kBFloat16)));
  delta.sum().backward();
  delta_of(*adapter, 0, Site::kQ, x.narrow(0, 0, 1)).sum().backward();
  const auto &a = adapter->parameters()[0].value, &b = adapter->parameters()[1].value;
  EXPECT_TRUE(torch::equal(a.grad(), torch::full({1, 16}, 32.0F * 4097)));
  EXPECT_TRUE(torch::equal(b.grad(), torch::full({32, 1}, 16.0F * 4097)));
}

TEST(Lora, LeavesOtherModulesAlone) {
  const auto adapter = tiny_adapter(LoraMethod{4, 16, {"k_proj"}}, tiny_config(false));
  const auto x = torch::ones({2, 16});
  const auto query = torch::ones({2, 4, 8});
  EXPECT_FALSE(delta_of(*adapter, 0, Site::kQ, x).defined());
  EXPECT_FALSE(adapter->attention_delta(0, {query, query}).defined());
  EXPECT_TRUE(delta_of(*adapter, 2, Site::kK, x).defined());
}

}  // namespace
}  // namespace prefixmem::trainer
