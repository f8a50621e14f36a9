// The differentiable operations against LibTorch's own autograd of the plain formulas.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "worker/trainer/ops/elu_memory.h"
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

TEST(Ops, TokenLogProbsOfNothing) {
  const auto hidden = torch::randn({0, 4}).requires_grad_();
  const auto scores =
      token_log_probs(hidden, torch::randn({10, 4}), torch::empty({0}, torch::kLong));
  EXPECT_EQ(scores.numel(), 0);
  scores.sum().backward();
}

torch::Tensor plain_memory(const torch::Tensor& query, const torch::Tensor& memory) {
  return torch::einsum("thd,hde->the", {torch::elu(query), memory});
}

TEST(Ops, EluMemory) {
  torch::manual_seed(5);
  const auto query = torch::randn({7, 3, 8}).requires_grad_();
  const auto memory = torch::randn({3, 8, 8}).requires_grad_();
  compare(elu_memory(query, memory), plain_memory(query, memory), {query, memory});
  const auto frozen = query.detach();
  compare(elu_memory(frozen, memory), plain_memory(frozen, memory), {memory});
}

// Central differences in double: every element of every input.
TEST(Ops, EluMemoryByFiniteDifferences) {
  torch::manual_seed(6);
  const auto options = torch::TensorOptions(torch::kDouble).requires_grad(true);
  const std::vector<torch::Tensor> inputs = {torch::randn({3, 2, 4}, options),
                                             torch::randn({2, 4, 4}, options)};
  const auto weight = torch::randn({3, 2, 4}, torch::kDouble);
  const auto value = [&] { return (elu_memory(inputs[0], inputs[1]) * weight).sum(); };
  const auto gradients = torch::autograd::grad({value()}, inputs);
  const torch::NoGradGuard no_grad;
  const double step = 1e-5;
  for (size_t input = 0; input < inputs.size(); ++input) {
    const auto elements = inputs[input].view(-1), slopes = gradients[input].reshape(-1);
    for (int64_t i = 0; i < elements.numel(); ++i) {
      const double at = elements[i].item<double>();
      elements[i] = at + step;
      const double above = value().item<double>();
      elements[i] = at - step;
      const double below = value().item<double>();
      elements[i] = at;
      EXPECT_NEAR(slopes[i].item<double>(), (above - below) / (2 * step), 1e-8)
          << "input " << input << ", element " << i;
    }
  }
}

// elu(1) and a gradient of 1 at each of 4096 tokens: a sum kept in bf16 would stop at 256.
TEST(Ops, EluMemoryAccumulatesInFp32) {
  // 257 has more bits than bf16.
  const auto query = torch::ones({257, 1, 2}, torch::kBFloat16);
  const auto memory = torch::ones({1, 2, 2}).requires_grad_();
  for (int64_t pass = 1; pass <= 2; ++pass) {
    elu_memory(query, memory).sum().backward();
    ASSERT_EQ(memory.grad().scalar_type(), torch::kFloat);
    EXPECT_TRUE(torch::equal(memory.grad(), torch::full({1, 2, 2}, 257.0F * pass)));
  }
  elu_memory(query.narrow(0, 0, 1), memory).sum().backward();
  EXPECT_TRUE(torch::equal(memory.grad(), torch::full({1, 2, 2}, 515.0F)));
  const auto wide = torch::ones({1, 1, 1024}, torch::kBFloat16);
  const auto out = elu_memory(wide, torch::ones({1, 1024, 1024}));
  EXPECT_TRUE(torch::equal(out, torch::full({1, 1, 1024}, 1024, torch::kBFloat16)));
}

TEST(Ops, NothingIsRecordedForFrozenInputs) {
  const auto x = torch::randn({3, 8});
  EXPECT_FALSE(rms_norm(x, torch::ones({8}), 1e-6).requires_grad());
  EXPECT_FALSE(gated_activation(x, x, Activation::kSilu).requires_grad());
}

}  // namespace
}  // namespace prefixmem::trainer
