#include "worker/trainer/eval/metric.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace prefixmem::trainer {
namespace {

using Pairs = std::vector<std::pair<int64_t, int64_t>>;  // truth, given

double value(Metric metric, size_t labels, const Pairs& rows) {
  Tally tally = empty_tally(metric, labels);
  for (const auto& [truth, given] : rows) count_label(tally, truth, given);
  return metric_value(metric, tally);
}

// By hand, from precision and recall. The values are those of scikit-learn's f1_score, its
// documentation's example among them.
TEST(Metric, MacroF1) {
  const Pairs example = {{0, 0}, {1, 2}, {2, 1}, {0, 0}, {1, 0}, {2, 1}};
  EXPECT_DOUBLE_EQ(value(Metric::kMacroF1, 3, example), (2 * (2.0 / 3) / (2.0 / 3 + 1)) / 3);
  EXPECT_DOUBLE_EQ(value(Metric::kAccuracy, 3, example), 2.0 / 6);

  // Label 0: precision 1, recall 1/2; label 1: precision 2/3, recall 1; label 2: 1 and 1.
  const Pairs rows = {{0, 0}, {0, 1}, {1, 1}, {1, 1}, {2, 2}};
  EXPECT_DOUBLE_EQ(value(Metric::kMacroF1, 3, rows), (2.0 / 3 + 4.0 / 5 + 1) / 3);
  EXPECT_DOUBLE_EQ(value(Metric::kAccuracy, 3, rows), 4.0 / 5);
}

TEST(Metric, MacroF1LeavesOutLabelsThatDoNotOccur) {
  const Pairs rows = {{0, 0}, {1, 1}};
  EXPECT_DOUBLE_EQ(value(Metric::kMacroF1, 5, rows), 1);
  // Given once and never true: it counts as 0.
  EXPECT_DOUBLE_EQ(value(Metric::kMacroF1, 5, {{0, 0}, {1, 1}, {1, 4}}), (1 + 2.0 / 3) / 3);
}

TEST(Metric, TalliesOfPartsAddUpToThatOfTheWhole) {
  const Pairs rows = {{0, 1}, {1, 1}, {2, 0}, {2, 2}, {1, 0}, {0, 0}, {2, 2}};
  for (const Metric metric : {Metric::kAccuracy, Metric::kMacroF1}) {
    Tally sums = empty_tally(metric, 3);
    for (const auto& row : rows) {
      Tally one = empty_tally(metric, 3);
      count_label(one, row.first, row.second);
      std::transform(sums.begin(), sums.end(), one.begin(), sums.begin(), std::plus());
    }
    EXPECT_DOUBLE_EQ(metric_value(metric, sums), value(metric, 3, rows));
  }
}

TEST(Metric, OthersAreRatios) {
  for (const Metric metric :
       {Metric::kExactMatch, Metric::kMathAnswer, Metric::kLoss, Metric::kPreferenceAccuracy}) {
    EXPECT_EQ(empty_tally(metric, 7).size(), 2U);
    EXPECT_DOUBLE_EQ(metric_value(metric, {3, 4}), 0.75);
    EXPECT_TRUE(std::isnan(metric_value(metric, empty_tally(metric, 0))));
  }
}

}  // namespace
}  // namespace prefixmem::trainer
