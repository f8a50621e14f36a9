#include "worker/trainer/collective/exact_sum.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <limits>

namespace prefixmem::trainer {
namespace {

torch::Tensor sum_of(const torch::Tensor& rows) {
  ExactSum sum(rows.size(1), torch::kCPU);
  for (const torch::Tensor& row : rows.unbind()) sum.add(row);
  return sum.value();
}

// Values of very different sizes, whose fp32 sums depend on their order.
torch::Tensor some_rows(int64_t seed) {
  torch::manual_seed(seed);
  return torch::randn({64, 257}) * torch::exp2(torch::randint(-30, 20, {64, 257}));
}

TEST(ExactSum, IsTheSameInAnyOrder) {
  bool order_matters = false;
  for (int64_t seed = 0; seed < 20; ++seed) {
    const torch::Tensor rows = some_rows(seed);
    const torch::Tensor mixed = rows.index_select(0, torch::randperm(64));
    EXPECT_TRUE(sum_of(rows).equal(sum_of(mixed)));
    const auto one_by_one = [](const torch::Tensor& all) {
      torch::Tensor sum = torch::zeros({all.size(1)});
      for (const torch::Tensor& row : all.unbind()) sum += row;
      return sum;
    };
    order_matters |= !one_by_one(rows).equal(one_by_one(mixed));
  }
  EXPECT_TRUE(order_matters) << "nothing was tested";
}

TEST(ExactSum, IsTheSum) {
  const torch::Tensor rows = some_rows(1);
  const torch::Tensor expected = rows.to(torch::kDouble).sum(0);
  EXPECT_TRUE(torch::allclose(sum_of(rows), expected, 1e-12, 1e-7));
  const torch::Tensor one = rows.slice(0, 0, 1);
  EXPECT_TRUE(sum_of(one).to(torch::kFloat).equal(one[0])) << "one value is taken as it is";
  EXPECT_TRUE(sum_of(torch::stack({one[0], -one[0]})).equal(torch::zeros({257}, torch::kDouble)));
}

TEST(ExactSum, WhatIsNoNumberStaysNone) {
  const float infinity = std::numeric_limits<float>::infinity();
  const torch::Tensor rows =
      torch::tensor({{1.0F, infinity, 1.0F, -4e7F}, {2.0F, 0.0F, NAN, 1.0F}});
  const torch::Tensor sum = sum_of(rows);
  EXPECT_EQ(sum[0].item<double>(), 3);
  EXPECT_TRUE(sum.slice(0, 1).isnan().all().item<bool>());
}

TEST(ExactSum, BeginsAgain) {
  ExactSum sum(2, torch::kCPU);
  sum.add(torch::tensor({NAN, 2.0F}));
  sum.clear();
  sum.add(torch::tensor({1.0, 0.25}, torch::kDouble));
  EXPECT_TRUE(sum.value().equal(torch::tensor({1.0, 0.25}, torch::kDouble)));
}

}  // namespace
}  // namespace prefixmem::trainer
