// DoRA, trained biases, learning rates of their own, dropout.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "tests/unit/trainer/lora_fixture.h"
#include "worker/trainer/data/dropout_keys.h"
#include "worker/trainer/data/pack.h"

namespace prefixmem::trainer {
namespace {

using ::testing::HasSubstr;
using Bias = LoraMethod::Bias;

const std::map<std::string, LoraMethod> kVariants = {
    {"Dora", {.r = 3, .use_dora = true}},
    {"RankStabilisedDora", {.r = 4, .alpha = 6, .use_rslora = true, .use_dora = true}},
    {"BiasesOfTargets", {.r = 3, .target_modules = {"q_proj", "up_proj"}, .bias = Bias::kLoraOnly}},
    {"AllBiases", {.r = 3, .target_modules = {"q_proj", "up_proj"}, .bias = Bias::kAll}},
    {"DoraWithBiases",
     {.r = 3, .target_modules = {"q_proj", "o_proj"}, .bias = Bias::kAll, .use_dora = true}}};

double scale_of(const LoraMethod& method) {
  const auto r = static_cast<double>(method.r);
  return method.alpha / (method.use_rslora ? std::sqrt(r) : r);
}

class LoraVariantsTest : public testing::TestWithParam<std::pair<const std::string, LoraMethod>> {
 protected:
  const LoraMethod& method = GetParam().second;
  const std::unique_ptr<Transformer> model = tiny_transformer(false);
};
INSTANTIATE_TEST_SUITE_P(All, LoraVariantsTest, testing::ValuesIn(kVariants),
                         [](const auto& info) { return info.param.first; });

TEST_P(LoraVariantsTest, StepZeroIsTheBase) {
  const auto adapter = lora_of(method, *model);
  EXPECT_TRUE(torch::equal(hidden_of(*model, adapter.get()), hidden_of(*model, nullptr)));
}

TEST_P(LoraVariantsTest, EqualsMergedWeights) {
  const auto adapter = lora_of(method, *model);
  randomize(*adapter);
  const auto with = hidden_of(*model, adapter.get());
  expect_close(with, hidden_of(*merged(false, *adapter, scale_of(method)), nullptr));
  EXPECT_FALSE(torch::allclose(with, hidden_of(*model, nullptr), 1e-2, 1e-2));
}

TEST_P(LoraVariantsTest, TokensOneByOneGiveTheSame) {
  const auto adapter = lora_of(method, *model);
  randomize(*adapter);
  const std::vector<int32_t> tokens = {3, 1, 4, 1, 5};
  RaggedBuilder builder;
  builder.add(tokens);
  const auto whole = model->hidden(std::move(builder).build(), adapter.get(), torch::arange(5));
  const auto cache = model->new_cache();
  for (int64_t i = 0; i < 5; ++i) {
    expect_close(model->extend(*cache, {tokens[i]}, adapter.get()), whole.detach().narrow(0, i, 1));
  }
}

// m / |W + s B A| with the norm a constant: autograd of the formula as it is written.
TEST(Dora, GradientsTakeTheNormForAConstant) {
  const auto model = tiny_transformer(false);
  const auto adapter =
      lora_of({.r = 3, .alpha = 6, .target_modules = {"q_proj"}, .use_dora = true}, *model);
  randomize(*adapter);
  const auto a = value_of(*adapter, 0, "lora_A.weight"), b = value_of(*adapter, 0, "lora_B.weight"),
             m = value_of(*adapter, 0, "lora_magnitude_vector");
  const LinearWeights& frozen = model->linear_weights(0, Site::kQ);
  const auto x = torch::randn({9, 16}).requires_grad_();
  const auto y = torch::linear(x, frozen.weight, frozen.bias);
  const auto delta = adapter->linear_delta({0, Site::kQ, x, frozen, {}, y});
  const auto sum = frozen.weight + 2 * b.matmul(a);
  const auto direction = sum / sum.detach().norm(2, 1).unsqueeze(1);
  const auto plain = torch::linear(x, m.unsqueeze(1) * direction, frozen.bias);
  expect_close(y + delta, plain);
  const auto weight = torch::randn_like(plain);
  const auto ours = torch::autograd::grad({((y + delta) * weight).sum()}, {x, a, b, m});
  const auto theirs = torch::autograd::grad({(plain * weight).sum()}, {x, a, b, m});
  for (size_t i = 0; i < ours.size(); ++i) expect_close(ours[i], theirs[i]);
}

std::vector<std::string> names_of_layer(const LoraMethod& method, int64_t layer) {
  const auto model = tiny_transformer(false);  // with biases of q, k and v
  const std::string place = "base_model.model.model.layers." + std::to_string(layer) + ".";
  const auto adapter = lora_of(method, *model);
  std::vector<std::string> names;
  for (const auto& [name, value, ratio] : adapter->parameters()) {
    if (name.starts_with(place)) names.push_back(name.substr(place.size()));
  }
  return names;
}

TEST(LoraBias, TrainsThoseThatPeftTrains) {
  LoraMethod method{.target_modules = {"q_proj", "up_proj"}, .bias = Bias::kLoraOnly};
  const std::vector<std::string> of_targets = {
      "self_attn.q_proj.lora_A.weight", "self_attn.q_proj.lora_B.weight",
      "self_attn.q_proj.base_layer.bias", "mlp.up_proj.lora_A.weight", "mlp.up_proj.lora_B.weight"};
  EXPECT_EQ(names_of_layer(method, 2), of_targets);
  method.bias = Bias::kAll;
  auto all = of_targets;
  all.insert(all.begin() + 3, {"self_attn.k_proj.bias", "self_attn.v_proj.bias"});
  EXPECT_EQ(names_of_layer(method, 2), all);
}

TEST(LoraBias, BeginsAtTheBasesAndLeavesThatAlone) {
  const auto model = tiny_transformer(false);
  const auto adapter = lora_of({.target_modules = {"q_proj"}, .bias = Bias::kAll}, *model);
  const torch::Tensor& frozen = model->linear_weights(1, Site::kV).bias;
  const auto before = frozen.clone();
  auto bias = value_of(*adapter, 1, "v_proj.bias");
  EXPECT_TRUE(bias.equal(frozen));
  bias.data().add_(1);
  EXPECT_TRUE(frozen.equal(before));
}

// As peft's create_loraplus_optimizer groups them.
TEST(LoraPlus, BAndVectorsHaveTheirOwnLearningRate) {
  const auto model = tiny_transformer(false);
  const auto adapter = lora_of({.target_modules = {"q_proj"},
                                .bias = Bias::kLoraOnly,
                                .use_dora = true,
                                .loraplus_lr_ratio = 16},
                               *model);
  ASSERT_EQ(adapter->parameters().size(), 4 * 3U);
  for (const auto& [name, value, ratio] : adapter->parameters()) {
    EXPECT_EQ(ratio, name.ends_with("lora_A.weight") ? 1 : 16) << name;
  }
}

TEST(Lora, NeedsItsDecoderForInitialValuesOfTheBase) {
  const auto made = make_adapter(LoraMethod{.use_dora = true}, {tiny_config(false)});
  EXPECT_EQ(made.status().code(), Code::kInternal);
  EXPECT_THAT(made.status().message(), HasSubstr("without its decoder"));
}

// Hidden states of each row, with dropout, however the rows are packed.
std::map<int64_t, torch::Tensor> dropped_rows(Transformer& model, Adapter& adapter,
                                              const std::vector<std::vector<int64_t>>& batches,
                                              const std::vector<Example>& rows, int64_t step) {
  std::map<int64_t, torch::Tensor> hidden;
  for (const auto& members : batches) {
    RaggedBatch batch = pack_rows(members, rows, kShareNothing);
    batch.dropout_keys = dropout_keys(batch, members, 7, step);
    const auto all = model.hidden(batch, &adapter, torch::arange(batch.token_count())).detach();
    for (size_t i = 0; i < members.size(); ++i) {
      hidden[members[i]] = all.narrow(0, batch.segments[i].begin, batch.segments[i].length);
    }
  }
  return hidden;
}

class LoraDropoutTest : public testing::TestWithParam<bool> {
 protected:
  LoraDropoutTest() { randomize(*adapter); }

  const std::vector<Example> rows = {
      {.ids = {3, 1, 4, 1, 5, 9}, .prompt_tokens = 2, .answer = {}},
      {.ids = {2, 6, 5}, .prompt_tokens = 1, .answer = {}},
      {.ids = {3, 5, 8, 9, 7, 9, 3, 2}, .prompt_tokens = 4, .answer = {}}};
  const std::unique_ptr<Transformer> model = tiny_transformer(false);
  const std::unique_ptr<Adapter> adapter =
      lora_of({.r = 3, .dropout = 0.5, .use_dora = GetParam()}, *model);
};
INSTANTIATE_TEST_SUITE_P(Kinds, LoraDropoutTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Dora" : "Plain"; });

TEST_P(LoraDropoutTest, IsTheSameInAnyPacking) {
  EXPECT_TRUE(adapter->uses_dropout());
  const auto together = dropped_rows(*model, *adapter, {{0, 1, 2}}, rows, 4);
  for (const auto& [row, hidden] : dropped_rows(*model, *adapter, {{2}, {1, 0}}, rows, 4)) {
    expect_close(hidden, together.at(row));
  }
  for (const auto& [row, hidden] : dropped_rows(*model, *adapter, {{0, 1, 2}}, rows, 5)) {
    EXPECT_FALSE(torch::allclose(hidden, together.at(row), 1e-2, 1e-2)) << "row " << row;
  }
}

TEST_P(LoraDropoutTest, IsOffWithoutKeys) {
  const auto dry = lora_of({.r = 3, .use_dora = GetParam()}, *model);
  randomize(*dry);
  EXPECT_FALSE(dry->uses_dropout());
  EXPECT_TRUE(torch::equal(hidden_of(*model, adapter.get()), hidden_of(*model, dry.get())));
}

// Each module's x differs from the other modules' by a mask of its own.
TEST_P(LoraDropoutTest, ModulesHaveMasksOfTheirOwn) {
  const auto x = torch::ones({64, 16});
  const auto keys = torch::arange(64, torch::kLong) * int64_t{0x1e3779b97f4a7c15};
  std::vector<torch::Tensor> masks;
  for (const auto& [layer, site] :
       {std::pair(0, Site::kQ), std::pair(0, Site::kK), std::pair(1, Site::kQ)}) {
    const auto a = value_of(*adapter, layer, std::string(site_name(site)) + ".lora_A.weight");
    const auto& frozen = model->linear_weights(layer, site);
    const auto leaf = x.clone().requires_grad_();
    const auto y = torch::linear(x, frozen.weight, frozen.bias);
    adapter->linear_delta({layer, site, leaf, frozen, keys, y}).sum().backward();
    masks.push_back(leaf.grad() == 0);
    EXPECT_NEAR(masks.back().to(torch::kDouble).mean().item<double>(), 0.5, 0.1);
  }
  EXPECT_FALSE(masks[0].equal(masks[1]));
  EXPECT_FALSE(masks[0].equal(masks[2]));
}

}  // namespace
}  // namespace prefixmem::trainer
