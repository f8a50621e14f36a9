// The operations of DoRA against their formula and finite differences.
#include "worker/trainer/ops/dora.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "tests/unit/trainer/finite_differences.h"

namespace prefixmem::trainer {
namespace {

TEST(Dora, NormsOfTheRowsOfTheSum) {
  torch::manual_seed(1);
  const auto weight = torch::randn({6, 10}), b = torch::randn({6, 2}), a = torch::randn({2, 10});
  const auto norms = dora_norms(weight, b.requires_grad_(), a.requires_grad_(), 1.5);
  const auto want = (weight + 1.5 * b.matmul(a)).square().sum(1).sqrt();
  EXPECT_FALSE(norms.requires_grad());
  EXPECT_TRUE(torch::allclose(norms, want, 1e-6));
}

TEST(Dora, NormsOverBlocksOfRows) {
  torch::manual_seed(2);
  const int64_t out = 1027, in = 4096;  // 1024 rows a block
  const auto weight = torch::randn({out, in}, torch::kBFloat16);
  const auto b = torch::randn({out, 1}), a = torch::randn({1, in});
  const auto want = (weight.to(torch::kFloat) - b.matmul(a)).to(torch::kDouble).norm(2, 1);
  const auto norms = dora_norms(weight, b, a, -1);
  EXPECT_EQ(norms.scalar_type(), torch::kFloat);
  EXPECT_TRUE(torch::allclose(norms.to(torch::kDouble), want, 1e-5));
}

TEST(Dora, AddsWhatTurnsTheMapIntoTheRescaledOne) {
  torch::manual_seed(3);
  const auto base = torch::randn({7, 4}), update = torch::randn({7, 4}), excess = torch::randn({4});
  EXPECT_TRUE(torch::allclose(base + dora_delta(base, update, excess),
                              (1 + excess) * (base + update), 1e-5, 1e-5));
  EXPECT_TRUE(dora_delta(base, update, torch::zeros({4})).equal(update));
}

TEST(Dora, GradientsByFiniteDifferences) {
  torch::manual_seed(4);
  const auto leaf = [](const std::vector<int64_t>& shape) {
    return torch::randn(shape, torch::kDouble).requires_grad_();
  };
  const auto base = leaf({3, 4}), update = leaf({3, 4}), excess = leaf({4});
  const auto weight = torch::randn({3, 4}, torch::kDouble);
  expect_gradients_by_differences({base, update, excess}, [&] {
    return (dora_delta(base, update, excess) * weight).square().sum();
  });
}

// 257 has more bits than bf16; so has 1 + 2^-10, the smallest step of a magnitude that must count.
TEST(Dora, AccumulatesInFp32InABf16Run) {
  const auto base = torch::ones({257, 2}, torch::kBFloat16), update = torch::zeros_like(base);
  const auto excess = torch::full({2}, 0x1p-10F).requires_grad_();
  const auto delta = dora_delta(base, update, excess);
  EXPECT_TRUE(delta.equal(torch::full({257, 2}, 0x1p-10F, torch::kBFloat16)));
  delta.sum().backward();
  EXPECT_TRUE(excess.grad().equal(torch::full({2}, 257.0F)));
}

}  // namespace
}  // namespace prefixmem::trainer
