#include "worker/trainer/objective/objective.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

namespace prefixmem::trainer {
namespace {

double log_sigmoid(double x) { return -std::log1p(std::exp(-x)); }

// Two pairs: chosen and rejected answers of 3, 5 and of 2, 4 tokens.
ExampleScores two_pairs() {
  ExampleScores scores;
  scores.sums = torch::tensor({-3.0, -9.0, -8.0, -6.0}, torch::kDouble).requires_grad_();
  scores.reference_sums = torch::tensor({-4.0, -8.5, -7.0, -6.5}, torch::kDouble);
  scores.lengths = torch::tensor({3.0, 5.0, 2.0, 4.0}, torch::kDouble);
  return scores;
}

// Margins of the log-ratios of the pairs: 1 - (-0.5) and -1 - 0.5.
constexpr double kFirst = 1.5, kSecond = -1.5;

double value(const ObjectiveSpec& spec) {
  return make_objective(spec)->loss_sum(two_pairs()).item<double>();
}

TEST(Objective, SftSumsTokenLossesAndCountsTokens) {
  const auto sft = make_objective(SftObjective{});
  EXPECT_DOUBLE_EQ(sft->loss_sum(two_pairs()).item<double>(), 26);
  EXPECT_EQ(sft->units(4, 14), 14);
  EXPECT_FALSE(sft->has_reference());
}

TEST(Objective, PreferencesCountPairs) {
  EXPECT_EQ(make_objective(DpoObjective{})->units(4, 14), 2);
  EXPECT_EQ(make_objective(SimpoObjective{})->units(4, 14), 2);
  EXPECT_TRUE(make_objective(DpoObjective{})->has_reference());
  EXPECT_FALSE(make_objective(SimpoObjective{})->has_reference());
}

TEST(Objective, DpoFollowsItsFormula) {
  const double beta = 0.3;
  EXPECT_NEAR(value(DpoObjective{beta}), -log_sigmoid(beta * kFirst) - log_sigmoid(beta * kSecond),
              1e-12);
}

TEST(Objective, LabelSmoothingWeighsTheSwappedPair) {
  const double beta = 0.3, s = 0.2;
  double expected = 0;
  for (const double m : {kFirst, kSecond}) {
    expected -= (1 - s) * log_sigmoid(beta * m) + s * log_sigmoid(-beta * m);
  }
  EXPECT_NEAR(value(DpoObjective{beta, s}), expected, 1e-12);
}

TEST(Objective, IpoComparesMeansAToken) {
  const double beta = 0.3, target = 1 / (2 * beta);
  const double first = 1.0 / 3 - -0.5 / 5, second = -1.0 / 2 - 0.5 / 4;
  EXPECT_NEAR(value(DpoObjective{beta, 0, DpoObjective::Loss::kIpo}),
              std::pow(first - target, 2) + std::pow(second - target, 2), 1e-12);
}

TEST(Objective, SimpoFollowsItsFormula) {
  const double beta = 2.5, gamma = 0.7;
  const double first = -3.0 / 3 - -9.0 / 5, second = -8.0 / 2 - -6.0 / 4;
  EXPECT_NEAR(value(SimpoObjective{beta, gamma}),
              -log_sigmoid(beta * first - gamma) - log_sigmoid(beta * second - gamma), 1e-12);
}

TEST(Objective, GradientsAreThoseOfDifferences) {
  const ObjectiveSpec specs[] = {SftObjective{}, DpoObjective{0.3, 0.2},
                                 DpoObjective{0.3, 0, DpoObjective::Loss::kIpo},
                                 SimpoObjective{2.5, 0.7}};
  for (const ObjectiveSpec& spec : specs) {
    const auto objective = make_objective(spec);
    const ExampleScores scores = two_pairs();
    objective->loss_sum(scores).backward();
    for (int64_t i = 0; i < 4; ++i) {
      const double h = 1e-6;
      ExampleScores up = two_pairs(), down = two_pairs();
      up.sums.data()[i] += h;
      down.sums.data()[i] -= h;
      const double slope = (objective->loss_sum(up) - objective->loss_sum(down)).item<double>();
      EXPECT_NEAR(scores.sums.grad()[i].item<double>(), slope / (2 * h), 1e-8);
    }
  }
}

// A pair of hopeless margin must not overflow.
TEST(Objective, ExtremeMarginsStayFinite) {
  ExampleScores scores = two_pairs();
  scores.sums.data()[0] = -1e6;
  EXPECT_TRUE(std::isfinite(make_objective(DpoObjective{})->loss_sum(scores).item<double>()));
  EXPECT_TRUE(std::isfinite(make_objective(SimpoObjective{})->loss_sum(scores).item<double>()));
}

TEST(Objective, SumsByExampleKeepsOrderAndGradient) {
  const auto log_probs = torch::tensor({1.0, 2.0, 3.0, 4.0, 5.0}).requires_grad_();
  const auto sums = sum_by_example(log_probs, {2, 0, 3});
  EXPECT_TRUE(torch::equal(sums, torch::tensor({3.0, 0.0, 12.0})));
  (sums * torch::tensor({1.0, 7.0, 10.0})).sum().backward();
  EXPECT_TRUE(torch::equal(log_probs.grad(), torch::tensor({1.0, 1.0, 10.0, 10.0, 10.0})));
}

}  // namespace
}  // namespace prefixmem::trainer
