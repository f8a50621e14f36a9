// Dropout: the mask is a function of keys alone, its share is p, its backward uses the same mask.
#include "worker/trainer/ops/dropout.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>
#include <map>

#include "common/random.h"
#include "tests/unit/trainer/finite_differences.h"
#include "worker/trainer/data/dropout_keys.h"
#include "worker/trainer/data/pack.h"
#include "worker/trainer/ops/dropout_mask.h"

namespace prefixmem::trainer {
namespace {

constexpr uint64_t kPlace = 0x8123456789abcdefULL;

torch::Tensor random_keys(int64_t count, uint64_t seed = 1) {
  std::vector<int64_t> keys;
  for (int64_t i = 0; i < count; ++i) {
    keys.push_back(static_cast<int64_t>(random_bits({seed, static_cast<uint64_t>(i)})));
  }
  return torch::tensor(keys, torch::kLong);
}

torch::Tensor dropped(const torch::Tensor& keys, int64_t columns, double p,
                      uint64_t place = kPlace) {
  return dropout(torch::ones({keys.numel(), columns}), keys, place, p) == 0;
}

// |observed - expected| within five standard deviations of `count` draws.
void expect_share(double observed, double p, double count) {
  EXPECT_NEAR(observed, p, 5 * std::sqrt(p * (1 - p) / count));
}

double share(const torch::Tensor& mask) { return mask.to(torch::kDouble).mean().item<double>(); }

TEST(Dropout, DropsItsShareAndScalesTheRest) {
  const auto keys = random_keys(512);
  for (const double p : {0.05, 0.5, 0.9}) {
    const auto out = dropout(torch::ones({512, 256}), keys, kPlace, p);
    expect_share(share(out == 0), p, 512.0 * 256);
    const auto kept = out.masked_select(out != 0);
    EXPECT_TRUE(kept.equal(torch::full_like(kept, static_cast<float>(1 / (1 - p)))));
  }
  EXPECT_EQ(share(dropped(keys, 256, 0)), 0);
}

TEST(Dropout, EveryRowAndColumnHasItsShare) {
  const auto mask = dropped(random_keys(2000), 2000, 0.3).to(torch::kDouble);
  for (const int64_t dimension : {0, 1}) {
    const auto shares = mask.mean(dimension);
    EXPECT_LT((shares - 0.3).abs().max().item<double>(), 5 * std::sqrt(0.21 / 2000));
    EXPECT_NEAR(shares.var().item<double>(), 0.21 / 2000, 0.2 * 0.21 / 2000);
  }
}

// Of two independent masks, both drop an element with probability p².
TEST(Dropout, PlacesTokensAndNeighboursAreIndependent) {
  const double p = 0.4, count = 1000.0 * 1000;
  const auto keys = random_keys(1000);
  const auto mask = dropped(keys, 1000, p);
  const auto both = [&](const torch::Tensor& other) {
    expect_share(share(mask & other), p * p, count);
  };
  both(dropped(keys, 1000, p, kPlace + 1));
  both(dropped(keys, 1000, p, kPlace ^ (uint64_t{1} << 63)));
  both(dropped(random_keys(1000, 2), 1000, p));
  both(mask.roll(1, 0));
  both(mask.roll(1, 1));
  both(mask.roll(512, 1));
}

// What runs on a GPU draws the same bits as the loop on a CPU.
TEST(Dropout, TensorOperationsDrawTheSameMask) {
  const auto keys = torch::cat({random_keys(64), torch::tensor({0L, -1L, INT64_MIN, INT64_MAX})});
  for (const double p : {0.0, 0.1, 0.75, 1 - 1e-12}) {
    const auto rows = keys.bitwise_xor(static_cast<int64_t>(kPlace));
    EXPECT_TRUE(dropout_mask(rows, 129, p).equal(dropped(keys, 129, p))) << p;
  }
}

TEST(Dropout, TakesEveryFloatTypeAndLayout) {
  const auto keys = random_keys(20);
  const auto x = torch::randn({12, 20}).t();
  const auto wide = dropout(x, keys, kPlace, 0.25);
  EXPECT_TRUE(wide.equal(dropout(x.contiguous(), keys, kPlace, 0.25)));
  for (const auto dtype : {torch::kBFloat16, torch::kHalf, torch::kDouble}) {
    const auto out = dropout(x.to(dtype), keys, kPlace, 0.25);
    EXPECT_EQ(out.scalar_type(), dtype);
    EXPECT_TRUE((out == 0).equal(wide == 0));
    EXPECT_LT((out.to(torch::kFloat) - wide).abs().max().item<float>(), 0.05);
  }
}

TEST(Dropout, GradientByFiniteDifferences) {
  torch::manual_seed(4);
  const auto x = torch::randn({5, 6}, torch::kDouble).requires_grad_();
  const auto weight = torch::randn({5, 6}, torch::kDouble);
  const auto keys = random_keys(5);
  expect_gradients_by_differences(
      {x}, [&] { return (dropout(x, keys, kPlace, 0.4) * weight).square().sum(); });
}

// The keys of each row, whatever is packed beside it.
std::map<int64_t, torch::Tensor> keys_by_row(const std::vector<std::vector<int64_t>>& batches,
                                             const std::vector<Example>& examples, uint64_t seed,
                                             int64_t step) {
  std::map<int64_t, torch::Tensor> keys;
  for (const auto& rows : batches) {
    const RaggedBatch batch = pack_rows(rows, examples, kShareNothing);
    const auto all = dropout_keys(batch, rows, seed, step);
    for (size_t i = 0; i < rows.size(); ++i) {
      const Segment& segment = batch.segments[i];
      keys[rows[i]] = all.narrow(0, segment.begin, segment.length);
    }
  }
  return keys;
}

TEST(DropoutKeys, FollowARowThroughAnyPacking) {
  std::vector<Example> examples;
  for (int32_t length : {4, 9, 2, 7}) {
    examples.push_back({.ids = std::vector<int32_t>(length, 3), .prompt_tokens = 1, .answer = {}});
  }
  const auto together = keys_by_row({{0, 1, 2, 3}}, examples, 5, 8);
  using Batches = std::vector<std::vector<int64_t>>;
  for (const Batches& batches : {Batches{{3, 0}, {2, 1}}, Batches{{1}, {0}, {3}, {2}}}) {
    for (const auto& [row, keys] : keys_by_row(batches, examples, 5, 8)) {
      EXPECT_TRUE(keys.equal(together.at(row))) << "row " << row;
    }
  }
}

TEST(DropoutKeys, DifferForEachSeedStepRowAndPosition) {
  const std::vector<Example> examples(
      3, {.ids = std::vector<int32_t>(40, 3), .prompt_tokens = 1, .answer = {}});
  std::vector<torch::Tensor> all;
  using SeedAndStep = std::pair<uint64_t, int64_t>;
  for (const auto& [seed, step] :
       {SeedAndStep(1, 0), SeedAndStep(1, 1), SeedAndStep(2, 0), SeedAndStep(0, 1)}) {
    for (const auto& [row, keys] : keys_by_row({{0, 1, 2}}, examples, seed, step)) {
      all.push_back(keys);
    }
  }
  const auto joined = torch::cat(all);
  EXPECT_EQ(std::get<0>(at::_unique(joined)).numel(), joined.numel());
}

}  // namespace
}  // namespace prefixmem::trainer
