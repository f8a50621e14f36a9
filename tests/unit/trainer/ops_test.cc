// The differentiable operations against LibTorch's own autograd of the plain formulas.
#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <cmath>

#include "tests/unit/trainer/finite_differences.h"
#include "worker/trainer/ops/feature_memory.h"
#include "worker/trainer/ops/gated_activation.h"
#include "worker/trainer/ops/rms_norm.h"
#include "worker/trainer/ops/rotary.h"
#include "worker/trainer/ops/token_log_probs.h"

namespace prefixmem::trainer {
namespace {

void expect_equal(const torch::Tensor& got, const torch::Tensor& want) {
  ASSERT_EQ(got.sizes(), want.sizes());
  EXPECT_LT((got - want).abs().max().item<double>(), 1e-5 * want.abs().max().item<double>());
}

// Same value and same gradient of a random weighting, for each input.
void compare(const torch::Tensor& got, const torch::Tensor& want,
             const std::vector<torch::Tensor>& inputs) {
  expect_equal(got, want);
  const auto weight = torch::randn_like(got);
  const auto got_gradients = torch::autograd::grad({(got * weight).sum()}, inputs);
  const auto want_gradients = torch::autograd::grad({(want * weight).sum()}, inputs);
  for (size_t i = 0; i < inputs.size(); ++i) expect_equal(got_gradients[i], want_gradients[i]);
}

TEST(Ops, RmsNorm) {
  torch::manual_seed(1);
  const auto x = (torch::randn({5, 3, 8}) * 3).requires_grad_();
  const auto weight = torch::randn({8});
  const auto plain = x * (x.square().mean(-1, true) + 1e-6).rsqrt() * weight;
  compare(rms_norm(x, weight, 1e-6), plain, {x});
}

TEST(Ops, RmsNormOfATrainedWeight) {
  torch::manual_seed(1);
  for (const double offset : {0.0, 1.0}) {
    const auto x = (torch::randn({50, 3, 8}) * 3).requires_grad_();
    const auto weight = torch::randn({8}).requires_grad_();
    const auto plain = x * (x.square().mean(-1, true) + 1e-6).rsqrt() * (weight + offset);
    compare(rms_norm(x, weight, 1e-6, offset), plain, {x, weight});
  }
  const auto narrow = torch::randn({4, 8}, torch::kBFloat16).requires_grad_();
  const auto weight = torch::ones({8}, torch::kBFloat16).requires_grad_();
  rms_norm(narrow, weight, 1e-6).sum().backward();
  EXPECT_EQ(weight.grad().scalar_type(), torch::kBFloat16);
}

TEST(Ops, RotaryTurnsHalves) {
  torch::manual_seed(2);
  const auto x = torch::randn({6, 2, 8}).requires_grad_();
  const auto positions = torch::tensor({0, 1, 2, 0, 7, 900}, torch::kLong);
  const auto frequency = torch::tensor({1.0F, 0.1F, 0.01F, 0.001F});
  const auto angle = positions.to(torch::kFloat).view({-1, 1, 1}) * frequency;
  const auto cos = torch::cat({angle, angle}, -1).cos() * 1.5;
  const auto sin = torch::cat({angle, angle}, -1).sin() * 1.5;
  const auto halves = x.chunk(2, -1);
  const auto plain = x * cos + torch::cat({-halves[1], halves[0]}, -1) * sin;
  compare(rotate(x, rotary_tables(positions, frequency, 1.5)), plain, {x});
}

TEST(Ops, GatedActivation) {
  torch::manual_seed(3);
  const auto gate = torch::randn({4, 16}).requires_grad_();
  const auto up = torch::randn({4, 16}).requires_grad_();
  compare(gated_activation(gate, up, Activation::kSilu), torch::silu(gate) * up, {gate, up});
  compare(gated_activation(gate, up, Activation::kGeluTanh), torch::gelu(gate, "tanh") * up,
          {gate, up});
}

TEST(Ops, TokenLogProbsOverBlocks) {
  torch::manual_seed(4);
  const int64_t vocab = (int64_t{1} << 18) + 3;  // 63 rows a block
  const auto hidden = (torch::randn({70, 64}) * 0.2).requires_grad_();
  const auto head = torch::randn({vocab, 64});
  const auto ids = torch::randint(vocab, {70}, torch::kLong);
  const auto wide = at::linear(hidden.to(torch::kDouble), head.to(torch::kDouble));
  const auto plain = wide.log_softmax(1).gather(1, ids.unsqueeze(1)).squeeze(1).to(torch::kFloat);
  compare(token_log_probs(hidden, head, ids), plain, {hidden});
}

// The gradient is then a small difference of what is likely and what was.
TEST(Ops, TokenLogProbsOfLikelyWords) {
  torch::manual_seed(4);
  const int64_t vocab = int64_t{1} << 18;
  const auto hidden = torch::randn({3, 64}).requires_grad_();
  auto head = torch::randn({vocab, 64}) * 0.1 + 0.05;
  const auto ids = torch::tensor({5, 70000, 200000}, torch::kLong);
  head.index_put_({ids}, hidden.detach() * 19 / hidden.detach().square().sum(1, true));
  const auto wide = hidden.detach().to(torch::kDouble).requires_grad_();
  const auto plain = at::linear(wide, head.to(torch::kDouble)).log_softmax(1);
  const auto want = torch::autograd::grad({plain.gather(1, ids.unsqueeze(1)).sum()}, {wide})[0];
  const auto got = torch::autograd::grad({token_log_probs(hidden, head, ids).sum()}, {hidden})[0];
  EXPECT_LT((got - want).norm().item<double>(), 1e-3 * want.norm().item<double>());
}

TEST(Ops, TokenLogProbsOfATrainedHead) {
  torch::manual_seed(4);
  const int64_t vocab = (int64_t{1} << 18) + 3;  // 63 rows a block
  const auto hidden = (torch::randn({70, 16}) * 0.2).requires_grad_();
  const auto head = torch::randn({vocab, 16}).requires_grad_();
  const auto ids = torch::randint(vocab, {70}, torch::kLong);
  const auto wide = at::linear(hidden.to(torch::kDouble), head.to(torch::kDouble));
  const auto plain = wide.log_softmax(1).gather(1, ids.unsqueeze(1)).squeeze(1).to(torch::kFloat);
  compare(token_log_probs(hidden, head, ids), plain, {hidden, head});
}

// Another word than the one that came is likely; all others together are what the sum must not
// lose.
TEST(Ops, TokenLogProbsOfATrainedHeadBesideALikelyWord) {
  torch::manual_seed(4);
  const int64_t vocab = int64_t{1} << 18;
  const auto hidden = torch::randn({3, 64}).requires_grad_();
  auto words = torch::randn({vocab, 64}) * 0.1 + 0.05;
  words.index_put_({torch::tensor({5, 70000, 200000}, torch::kLong)},
                   hidden.detach() * 19 / hidden.detach().square().sum(1, true));
  const auto head = words.requires_grad_();
  const auto ids = torch::tensor({6, 70001, 200001}, torch::kLong);
  const auto wide = hidden.detach().to(torch::kDouble).requires_grad_();
  const auto wide_head = head.detach().to(torch::kDouble).requires_grad_();
  const auto plain = at::linear(wide, wide_head).log_softmax(1).gather(1, ids.unsqueeze(1)).sum();
  const auto want = torch::autograd::grad({plain}, {wide, wide_head});
  const auto got =
      torch::autograd::grad({token_log_probs(hidden, head, ids).sum()}, {hidden, head});
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_LT((got[i] - want[i]).norm().item<double>(), 1e-5 * want[i].norm().item<double>()) << i;
  }
}

TEST(Ops, TokenLogProbsOfNothing) {
  const auto hidden = torch::randn({0, 4}).requires_grad_();
  const auto scores =
      token_log_probs(hidden, torch::randn({10, 4}), torch::empty({0}, torch::kLong));
  EXPECT_EQ(scores.numel(), 0);
  scores.sum().backward();
}

// Each map in elementary operations.
torch::Tensor plain_features(FeatureMap map, const torch::Tensor& x, const FeatureWeights& w) {
  switch (map) {
    case FeatureMap::kElu:
      return torch::where(x > 0, x, x.exp() - 1);
    case FeatureMap::kEluPlusOne:
      return torch::where(x > 0, x + 1, x.exp());
    case FeatureMap::kGelu:
      return x * 0.5 * (1 + torch::erf(x / std::sqrt(2.0)));
    case FeatureMap::kMlp:
      return (torch::einsum("thd,hfd->thf", {x, w.weight}) + w.bias).clamp_min(0);
  }
  return {};
}

struct MemoryCase {
  torch::Tensor x, memory;
  FeatureWeights weights;
  std::vector<torch::Tensor> inputs;  // all of them
};

// 7 tokens, 3 heads of 8; under kMlp 5 features, so that no two sizes are alike.
MemoryCase memory_case(FeatureMap map, torch::Dtype dtype) {
  torch::manual_seed(5);
  const auto leaf = [&](const std::vector<int64_t>& shape) {
    return torch::randn(shape, dtype).requires_grad_();
  };
  const bool mlp = map == FeatureMap::kMlp;
  MemoryCase made{leaf({7, 3, 8}), leaf({3, mlp ? 5 : 8, 8}), {}, {}};
  made.inputs = {made.x, made.memory};
  if (mlp) {
    made.weights = {leaf({3, 5, 8}), leaf({3, 5})};
    made.inputs.insert(made.inputs.end(), {made.weights.weight, made.weights.bias});
  }
  return made;
}

class FeatureMemoryTest : public testing::TestWithParam<FeatureMap> {};

TEST_P(FeatureMemoryTest, FollowsItsFormula) {
  const auto [x, memory, weights, inputs] = memory_case(GetParam(), torch::kFloat);
  const auto plain = [&](const torch::Tensor& query) {
    return torch::einsum("thf,hfd->thd", {plain_features(GetParam(), query, weights), memory});
  };
  compare(feature_memory(x, memory, GetParam(), weights), plain(x), inputs);
  const auto frozen = x.detach();
  const std::vector<torch::Tensor> trained(inputs.begin() + 1, inputs.end());
  compare(feature_memory(frozen, memory, GetParam(), weights), plain(frozen), trained);
}

// Central differences in double: every element of every input.
TEST_P(FeatureMemoryTest, GradientsByFiniteDifferences) {
  const auto [x, memory, weights, inputs] = memory_case(GetParam(), torch::kDouble);
  const auto weighting = torch::randn({7, 3, 8}, torch::kDouble);
  const auto value = [&, &x = x, &memory = memory, &weights = weights] {
    return (feature_memory(x, memory, GetParam(), weights) * weighting).sum();
  };
  expect_gradients_by_differences(inputs, value);
}

std::string name_of(const testing::TestParamInfo<FeatureMap>& info) {
  constexpr const char* kNames[] = {"Elu", "EluPlusOne", "Gelu", "Mlp"};
  return kNames[static_cast<int>(info.param)];
}

INSTANTIATE_TEST_SUITE_P(Maps, FeatureMemoryTest,
                         testing::Values(FeatureMap::kElu, FeatureMap::kEluPlusOne,
                                         FeatureMap::kGelu, FeatureMap::kMlp),
                         name_of);

// phi(1) and a gradient of 1 at each of 257 tokens, which has more bits than bf16: a sum kept in
// bf16 would stop at 256.
TEST(Ops, FeatureMemoryAccumulatesInFp32) {
  const auto query = torch::ones({257, 1, 2}, torch::kBFloat16);
  const auto memory = torch::ones({1, 2, 2}).requires_grad_();
  for (int64_t pass = 1; pass <= 2; ++pass) {
    feature_memory(query, memory, FeatureMap::kElu).sum().backward();
    ASSERT_EQ(memory.grad().scalar_type(), torch::kFloat);
    EXPECT_TRUE(torch::equal(memory.grad(), torch::full({1, 2, 2}, 257.0F * pass)));
  }
  feature_memory(query.narrow(0, 0, 1), memory, FeatureMap::kElu).sum().backward();
  EXPECT_TRUE(torch::equal(memory.grad(), torch::full({1, 2, 2}, 515.0F)));
  const auto wide = torch::ones({1, 1, 1024}, torch::kBFloat16);
  const auto out = feature_memory(wide, torch::ones({1, 1024, 1024}), FeatureMap::kElu);
  EXPECT_TRUE(torch::equal(out, torch::full({1, 1, 1024}, 1024, torch::kBFloat16)));
}

TEST(Ops, GradientsOfFeatureWeightsAccumulateInFp32) {
  const auto query = torch::ones({257, 1, 2}, torch::kBFloat16);
  const auto memory = torch::ones({1, 1, 1}).requires_grad_();
  const FeatureWeights weights{torch::ones({1, 1, 2}).requires_grad_(),
                               torch::ones({1, 1}).requires_grad_()};
  feature_memory(query, memory, FeatureMap::kMlp, weights).sum().backward();
  EXPECT_TRUE(torch::equal(memory.grad(), torch::full({1, 1, 1}, 3 * 257.0F)));
  EXPECT_TRUE(torch::equal(weights.weight.grad(), torch::full({1, 1, 2}, 257.0F)));
  EXPECT_TRUE(torch::equal(weights.bias.grad(), torch::full({1, 1}, 257.0F)));
}

TEST(Ops, NothingIsRecordedForFrozenInputs) {
  const auto x = torch::randn({3, 8});
  EXPECT_FALSE(rms_norm(x, torch::ones({8}), 1e-6).requires_grad());
  EXPECT_FALSE(gated_activation(x, x, Activation::kSilu).requires_grad());
}

}  // namespace
}  // namespace prefixmem::trainer
