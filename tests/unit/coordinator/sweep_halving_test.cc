// Which trials are stopped, and what that leaves.
#include "coordinator/sweep/halving.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "coordinator/sweep/draws.h"
#include "tests/unit/coordinator/sweep_plans.h"

namespace prefixmem::sweep {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string kSpace =
    "space: {train.weight_decay: {type: uniform, low: 0, high: 1}}, goal: {metric: loss, mode: "
    "min}";

Plan asha(const std::string& more = "") {
  return plan("{search: {type: asha, reduction_factor: 3" + more + "}, " + kSpace + "}");
}

// The verdict on a trial's report, which is put into the history.
Verdict report(const Plan& plan, History& history, size_t index, int64_t step, double value) {
  Trial& one = history.trials[index];
  one.reports.push_back({step, value});
  Verdict verdict = judge(plan, history, index);
  one.rungs = verdict.rungs;
  if (verdict.stop) one.state = TrialState::kStopped;
  return verdict;
}

History trials(int count) {
  History history;
  for (int i = 1; i <= count; ++i) history.trials.push_back(trial(i, TrialState::kOpen));
  return history;
}

TEST(Asha, StopsWhatIsNotAmongTheBestOfItsRung) {
  const Plan plan = asha();
  History history = trials(4);
  EXPECT_FALSE(report(plan, history, 0, 1, 0.5).stop);
  const Verdict worse = report(plan, history, 1, 1, 0.6);
  EXPECT_TRUE(worse.stop);
  EXPECT_EQ(worse.reason, "loss 0.6 at step 1 is not among the best 1 of 2 at rung 0");
  EXPECT_THAT(worse.rungs, ElementsAre(0.6));
  EXPECT_FALSE(report(plan, history, 2, 1, 0.5).stop) << "a tie goes on";
  EXPECT_FALSE(report(plan, history, 0, 2, 9).stop) << "between rungs nothing is judged";
  EXPECT_FALSE(report(plan, history, 0, 3, 0.4).stop);
  EXPECT_THAT(history.trials[0].rungs, ElementsAre(0.5, 0.4));
}

TEST(Asha, OneReportMayPassSeveralRungs) {
  const Plan plan = asha(", min_steps: 2");
  History history = trials(2);
  EXPECT_THAT(report(plan, history, 0, 20, 0.3).rungs, ElementsAre(0.3, 0.3, 0.3));
  const Verdict behind = report(plan, history, 1, 20, 0.4);
  EXPECT_TRUE(behind.stop);
  EXPECT_THAT(behind.rungs, ElementsAre(0.4)) << "it never came further";
}

TEST(Asha, NotANumberIsStoppedAtARungAndLeavesNoValue) {
  const Plan plan = asha(", min_steps: 2");
  History history = trials(1);
  EXPECT_FALSE(report(plan, history, 0, 1, std::nan("")).stop);
  const Verdict verdict = report(plan, history, 0, 2, std::nan(""));
  EXPECT_TRUE(verdict.stop);
  EXPECT_EQ(verdict.reason, "loss is not a number at step 2");
  EXPECT_THAT(verdict.rungs, IsEmpty());
}

TEST(Asha, FollowsTheMode) {
  const Plan most = plan(
      "{search: asha, space: {train.weight_decay: {type: uniform, low: 0, high: "
      "1}}, goal: {metric: loss, mode: max}}");
  History history = trials(2);
  EXPECT_FALSE(report(most, history, 0, 1, 0.5).stop);
  EXPECT_TRUE(report(most, history, 1, 1, 0.4).stop);
}

TEST(Random, StopsNothing) {
  const Plan random = plan("{" + kSpace + "}");
  History history = trials(2);
  EXPECT_FALSE(report(random, history, 0, 50, 0).stop);
  EXPECT_FALSE(report(random, history, 1, 50, 9).stop);
  EXPECT_THAT(history.trials[1].rungs, IsEmpty());
}

// In any order of reports the best so far is never stopped, and of those that come to a rung about
// the share that the factor says goes on: a few more, as early comers get the benefit of the doubt,
// or fewer, as one that was stopped does not come back.
TEST(HalvingProperty, TheBestGoOn) {
  constexpr int kSeeds = 100;
  std::vector<double> came(5, 0);
  for (int seed = 0; seed < kSeeds; ++seed) {
    const Plan plan = asha();
    Draws draws(seed, 0);
    History history = trials(90);
    std::map<size_t, double> best;
    std::vector<int64_t> steps(90, 0);
    std::vector<double> levels;
    for (int i = 0; i < 90; ++i) levels.push_back(draws.uniform());
    for (int open = 90; open > 0;) {
      const auto i = static_cast<size_t>(draws.below(90));
      if (history.trials[i].state != TrialState::kOpen) continue;
      const double value = levels[i] + 0.1 * draws.normal();
      const size_t rung = history.trials[i].rungs.size();
      const Verdict verdict = report(plan, history, i, ++steps[i], value);
      if (verdict.rungs.size() > rung) {
        const bool leads = !best.contains(rung) || value <= best[rung];
        if (leads) best[rung] = value;
        EXPECT_FALSE(leads && verdict.stop) << "seed " << seed;
      }
      if (steps[i] == 27 && !verdict.stop) history.trials[i].state = TrialState::kFinished;
      open -= history.trials[i].state == TrialState::kOpen ? 0 : 1;
    }
    for (const Trial& one : history.trials) {
      for (size_t rung = 0; rung < one.rungs.size(); ++rung) came[rung] += 1;
    }
  }
  EXPECT_EQ(came[0], 90 * kSeeds);
  EXPECT_NEAR(came[1] / came[0], 1. / 3, 0.08);
  EXPECT_NEAR(came[2] / came[1], 1. / 3, 0.1);
  EXPECT_NEAR(came[3] / came[2], 1. / 3, 0.2);
}

TEST(Hyperband, BracketsShareTheTrialsAndAreComparedApart) {
  const Plan hyperband =
      plan("{search: {type: hyperband, min_steps: 1, max_steps: 81}, budget: {trials: 2000}, " +
           kSpace + "}");
  std::map<int, int> counts;
  for (int number = 1; number <= 2000; ++number) ++counts[bracket_of(hyperband, number)];
  EXPECT_EQ(counts.size(), 5u);
  EXPECT_NEAR(counts[0], 2000 * 81.0 / 143, 120);
  EXPECT_NEAR(counts[4], 2000 * 5.0 / 143, 40);
  History history = trials(40);
  for (size_t i = 0; i < 40; ++i) {
    const int bracket = bracket_of(hyperband, history.trials[i].number);
    const auto first = static_cast<int64_t>(std::pow(3, bracket));
    if (first > 1) {
      EXPECT_FALSE(report(hyperband, history, i, first - 1, 1).stop);
    }
    EXPECT_FALSE(report(hyperband, history, i, first, -static_cast<double>(i)).stop);
    EXPECT_EQ(history.trials[i].rungs.size(), 1u);
  }
  std::vector<size_t> second;  // of bracket 1, whose second rung is at step 9
  for (size_t i = 0; i < 40; ++i) {
    if (bracket_of(hyperband, history.trials[i].number) == 1) second.push_back(i);
  }
  ASSERT_GE(second.size(), 2u);
  EXPECT_FALSE(report(hyperband, history, second[0], 9, 0.5).stop);
  const Verdict verdict = report(hyperband, history, second[1], 9, 0.6);
  EXPECT_TRUE(verdict.stop);
  EXPECT_THAT(verdict.reason, testing::HasSubstr(" best 1 of 2 at rung 1 of bracket 1"));
}

}  // namespace
}  // namespace prefixmem::sweep
