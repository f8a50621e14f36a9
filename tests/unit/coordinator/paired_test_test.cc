#include "coordinator/sweep/paired_test.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>

namespace prefixmem::sweep {
namespace {

// By its definition: of all ways to give the sizes their signs, how many have a smaller sum of
// ranks of one sign that is at most the one seen.
double by_enumeration(const std::vector<double>& differences) {
  std::vector<double> sizes;
  std::vector<bool> positive;
  for (const double one : differences) {
    if (one == 0) continue;
    sizes.push_back(std::abs(one));
    positive.push_back(one > 0);
  }
  const size_t count = sizes.size();
  std::vector<double> ranks;
  double total = 0;
  for (const double size : sizes) {
    double below = 0;
    double equal = 0;
    for (const double other : sizes) {
      below += other < size ? 1 : 0;
      equal += other == size ? 1 : 0;
    }
    ranks.push_back(below + (equal + 1) / 2);
    total += ranks.back();
  }
  const auto smaller_sum = [&](const auto& is_positive) {
    double sum = 0;
    for (size_t i = 0; i < count; ++i) sum += is_positive(i) ? ranks[i] : 0;
    return std::min(sum, total - sum);
  };
  const double seen = smaller_sum([&](size_t i) { return positive[i]; });
  int as_extreme = 0;
  for (uint32_t signs = 0; signs < (1U << count); ++signs) {
    const double sum = smaller_sum([&](size_t i) { return (signs >> i) & 1U; });
    as_extreme += sum <= seen ? 1 : 0;
  }
  return static_cast<double>(as_extreme) / static_cast<double>(1U << count);
}

std::mt19937 of_seed(unsigned seed) { return std::mt19937(seed); }

TEST(SignedRankTest, IsExactWithTiesAndZerosToo) {
  std::mt19937 random = of_seed(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<double> differences;
    const size_t count = 1 + random() % 12;
    const int spread = round % 2 == 0 ? 5 : 1000;  // many ties, or few
    for (size_t i = 0; i < count; ++i) {
      differences.push_back(static_cast<double>(random() % (2 * spread + 1)) - spread);
    }
    const PairedTest test = signed_rank_test(differences);
    EXPECT_NEAR(test.p_value, std::min(1.0, by_enumeration(differences)), 1e-12);
  }
}

// The example of scipy.stats.wilcoxon's documentation: heights of cross- and self-fertilised corn.
TEST(SignedRankTest, AgreesWithScipy) {
  EXPECT_NEAR(
      signed_rank_test({6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75}).p_value,
      0.041259765625, 1e-12);
}

TEST(SignedRankTest, SaysNothingWithoutDifferences) {
  EXPECT_EQ(signed_rank_test({}).p_value, 1);
  const PairedTest zeros = signed_rank_test({0, 0, std::nan("")});
  EXPECT_EQ(zeros.p_value, 1);
  EXPECT_EQ(zeros.pairs, 0);
}

TEST(SignedRankTest, TheApproximationIsCloseToTheExactValueWhereItBegins) {
  std::mt19937 random = of_seed(2);
  std::vector<double> differences;
  for (int i = 0; i < kMostExact; ++i) {
    differences.push_back(static_cast<double>(random() % 1000) - 420);
  }
  const double exact = signed_rank_test(differences).p_value;
  differences.push_back(1e-9);  // one more pair, of the smallest rank
  EXPECT_NEAR(signed_rank_test(differences).p_value, exact, 0.01);
}

}  // namespace
}  // namespace prefixmem::sweep
