#include <gtest/gtest.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adamw.h>
#include <torch/utils.h>

#include <cmath>

#include "worker/trainer/train/adamw.h"
#include "worker/trainer/train/flat_parameters.h"
#include "worker/trainer/train/gradient_norm.h"

namespace prefixmem::trainer {
namespace {

class AdamWTest : public ::testing::TestWithParam<double> {};

TEST_P(AdamWTest, EqualsTorch) {
  torch::manual_seed(0);
  torch::Tensor mine = torch::randn({50});
  torch::Tensor theirs = mine.clone().requires_grad_();
  AdamW optimizer(mine, {.weight_decay = GetParam()});
  torch::optim::AdamW reference({theirs}, torch::optim::AdamWOptions(1).weight_decay(GetParam()));
  for (int step = 0; step < 20; ++step) {
    const torch::Tensor gradient = torch::randn({50}) * std::pow(10.0, step % 5 - 4);
    const double rate = 1e-2 * (step + 1);
    for (auto& group : reference.param_groups()) {
      static_cast<torch::optim::AdamWOptions&>(group.options()).lr(rate);
    }
    theirs.mutable_grad() = gradient.clone();
    reference.step();
    optimizer.step(mine, gradient, rate);
    EXPECT_LE((mine - theirs).abs().max().item<float>(), 1e-6) << "step " << step;
  }
  EXPECT_EQ(optimizer.steps(), 20);
}
INSTANTIATE_TEST_SUITE_P(WeightDecay, AdamWTest, ::testing::Values(0.0, 0.1));

// Rates of its own for each parameter are torch's parameter group of its own.
TEST_P(AdamWTest, RatiosEqualTorchsGroups) {
  using torch::optim::AdamWOptions;
  torch::manual_seed(0);
  std::vector<Parameter> mine;
  std::vector<torch::optim::OptimizerParamGroup> groups;
  const char* const names[] = {"a", "b", "c.bias"};
  const double ratios[] = {1, 16, 0.25}, decays[] = {1, 1, 0};
  for (size_t i = 0; i < 3; ++i) {
    mine.push_back({names[i], torch::randn({20}).requires_grad_(), ratios[i]});
    groups.push_back(
        {{mine.back().value.detach().clone().requires_grad_()},
         std::make_unique<AdamWOptions>(AdamWOptions().weight_decay(GetParam() * decays[i]))});
  }
  FlatParameters flat(mine);
  AdamW optimizer(flat.values(), {.weight_decay = GetParam()}, flat.ratios());
  torch::optim::AdamW reference(groups);
  for (int step = 0; step < 20; ++step) {
    flat.gradients().copy_(torch::randn({60}));
    const double rate = 1e-2 * (step + 1);
    for (size_t i = 0; i < 3; ++i) {
      auto& group = reference.param_groups()[i];
      static_cast<AdamWOptions&>(group.options()).lr(rate * ratios[i]);
      group.params()[0].mutable_grad() = mine[i].value.grad().clone();
    }
    reference.step();
    optimizer.step(flat.values(), flat.gradients(), rate);
    for (size_t i = 0; i < 3; ++i) {
      const torch::Tensor& theirs = reference.param_groups()[i].params()[0];
      EXPECT_LE((mine[i].value - theirs).abs().max().item<float>(), 1e-6 * (1 + ratios[i]))
          << "step " << step << ", ratio " << ratios[i];
    }
  }
}

// A shard's values train as in the whole, with any number of threads.
TEST(AdamW, BitsOfAValueDependOnNothingElse) {
  constexpr int64_t kCount = 200'003, kBegin = 70'001, kPart = 65'541;
  torch::manual_seed(1);
  const torch::Tensor start = torch::randn({kCount}), gradient = torch::randn({kCount});
  const auto trained = [&](int64_t begin, int64_t count) {
    torch::Tensor values = start.narrow(0, begin, count).clone();
    AdamW optimizer(values, {.weight_decay = 0.1});
    for (int i = 0; i < 3; ++i) optimizer.step(values, gradient.narrow(0, begin, count), 1e-2);
    return values;
  };
  const torch::Tensor whole = trained(0, kCount);
  EXPECT_TRUE(torch::equal(trained(kBegin, kPart), whole.narrow(0, kBegin, kPart)));
  at::set_num_threads(2);
  EXPECT_TRUE(torch::equal(trained(0, kCount), whole));
  at::set_num_threads(1);
}

TEST(GradientNorm, OfMillionsOfValues) {
  torch::manual_seed(1);
  const torch::Tensor values = torch::randn({5'000'003});
  const double norm = norm_of(values);
  EXPECT_NEAR(norm, values.to(torch::kDouble).norm().item<double>(), 1e-9 * norm);
  at::set_num_threads(2);
  EXPECT_EQ(norm_of(values), norm);
  at::set_num_threads(1);
}

std::vector<Parameter> two_parameters() {
  std::vector<Parameter> parameters;
  parameters.push_back({"a", torch::arange(6, torch::kFloat32).view({2, 3}).requires_grad_()});
  parameters.push_back({"b", torch::ones({4}).requires_grad_()});
  return parameters;
}

TEST(FlatParameters, AreViewsOfOneBuffer) {
  auto parameters = two_parameters();
  FlatParameters flat(parameters);
  ASSERT_EQ(flat.count(), 10);
  EXPECT_EQ(flat.values()[5].item<float>(), 5);
  flat.values()[0] = 7;
  EXPECT_EQ(parameters[0].value[0][0].item<float>(), 7);
  EXPECT_TRUE(parameters[0].value.is_leaf());
  EXPECT_TRUE(parameters[0].value.requires_grad());
}

TEST(FlatParameters, KnowTheRatiosOnlyWhereOneDiffers) {
  auto parameters = two_parameters();
  EXPECT_FALSE(FlatParameters(parameters).ratios().learning_rate.defined());
  EXPECT_FALSE(FlatParameters(parameters).ratios().weight_decay.defined());
  parameters[1].learning_rate_ratio = 8;
  parameters[0].name = "q_proj.base_layer.bias";
  const auto rates = torch::cat({torch::ones({6}), torch::full({4}, 8.0F)});
  EXPECT_TRUE(FlatParameters(parameters).ratios().learning_rate.equal(rates));
  const auto decays = torch::cat({torch::zeros({6}), torch::ones({4})});
  EXPECT_TRUE(FlatParameters(parameters).ratios().weight_decay.equal(decays));
}

TEST(FlatParameters, GradientsAddUpInOneBuffer) {
  auto parameters = two_parameters();
  FlatParameters flat(parameters);
  for (int pass = 0; pass < 2; ++pass) {
    (parameters[0].value.sum() * 2 + parameters[1].value.sum()).backward();
  }
  EXPECT_TRUE(flat.gradients().equal(torch::cat({torch::full({6}, 4.0F), torch::full({4}, 2.0F)})));
  flat.zero_gradients();
  parameters[1].value.sum().backward();
  EXPECT_EQ(flat.gradients().sum().item<float>(), 4);
}

TEST(FlatParameters, ClipsAsTorchDoes) {
  auto parameters = two_parameters();
  FlatParameters flat(parameters);
  flat.gradients().copy_(torch::arange(10, torch::kFloat32));
  const double norm = std::sqrt(285.0);  // of 0 … 9
  EXPECT_DOUBLE_EQ(flat.clip_gradients(0), norm);
  EXPECT_DOUBLE_EQ(flat.clip_gradients(100), norm);
  EXPECT_DOUBLE_EQ(flat.clip_gradients(2), norm);
  auto reference = two_parameters();
  reference[0].value.mutable_grad() = torch::arange(6, torch::kFloat32).view({2, 3});
  reference[1].value.mutable_grad() = torch::arange(6, 10, torch::kFloat32);
  torch::nn::utils::clip_grad_norm_({reference[0].value, reference[1].value}, 2.0);
  EXPECT_TRUE(torch::allclose(parameters[0].value.grad(), reference[0].value.grad(), 1e-6));
  EXPECT_TRUE(torch::allclose(parameters[1].value.grad(), reference[1].value.grad(), 1e-6));
}

TEST(FlatParameters, NormOfALongBufferIsExact) {
  const int64_t count = 3'000'001;
  std::vector<Parameter> parameters = {{"a", torch::zeros({count}).requires_grad_()}};
  FlatParameters flat(parameters);
  flat.gradients().fill_(0.1F);
  const double norm = static_cast<double>(0.1F) * std::sqrt(static_cast<double>(count));
  EXPECT_NEAR(flat.clip_gradients(0), norm, 1e-9 * norm);
}

}  // namespace
}  // namespace prefixmem::trainer
