// When trials begin, and when a search is over.
#include "coordinator/sweep/decide.h"

#include <gtest/gtest.h>

#include "tests/unit/coordinator/sweep_plans.h"

namespace prefixmem::sweep {
namespace {

Plan searching(const std::string& more) {
  return plan("{space: {train.seed: {type: int, low: 0, high: 1000}}, " + more + "}");
}

History with(int open, int ended, TrialState state = TrialState::kFinished) {
  History history;
  for (int i = 1; i <= open + ended; ++i) {
    history.trials.push_back(trial(i, i <= ended ? state : TrialState::kOpen));
    history.trials.back().tokens = 100;
    history.trials.back().ranks = 2;
  }
  return history;
}

TEST(Next, BeginsTrialsUpToMaxConcurrent) {
  const Plan plan = searching("max_concurrent: 3, budget: {trials: 5}");
  EXPECT_EQ(next(plan, {}, 1).kind, Next::Kind::kTrial);
  EXPECT_EQ(next(plan, with(2, 0), 1).kind, Next::Kind::kTrial);
  const Next full = next(plan, with(3, 1), 1);
  EXPECT_EQ(full.kind, Next::Kind::kWait);
  EXPECT_EQ(full.reason, "3 trials have not ended");
}

TEST(Next, EndsWithItsBudgetOfTrials) {
  const Plan plan = searching("max_concurrent: 3, budget: {trials: 5}");
  const Next last = next(plan, with(1, 4), 1);
  EXPECT_EQ(last.kind, Next::Kind::kWait);
  EXPECT_EQ(last.reason, "all 5 trials were begun; 1 have not ended");
  const Next done = next(plan, with(0, 5), 1);
  EXPECT_EQ(done.kind, Next::Kind::kDone);
  EXPECT_EQ(done.reason, "all 5 trials were begun");
}

TEST(Next, CountsDevices) {
  const Plan plan = searching("budget: {devices: 5}");
  EXPECT_EQ(next(plan, with(1, 0), 2).kind, Next::Kind::kTrial);
  const Next full = next(plan, with(2, 0), 2);
  EXPECT_EQ(full.kind, Next::Kind::kWait);
  EXPECT_EQ(full.reason, "4 of 5 devices are taken");
}

TEST(Next, ABudgetOfTokensOrTimeStopsWhatRuns) {
  const Plan tokens = searching("budget: {tokens: 400}");
  EXPECT_FALSE(spent(tokens, with(3, 0)));
  EXPECT_EQ(spent(tokens, with(3, 1)), "the budget of 400 tokens is spent");
  EXPECT_EQ(next(tokens, with(3, 1), 1).kind, Next::Kind::kWait);
  EXPECT_EQ(next(tokens, with(0, 4), 1).kind, Next::Kind::kDone);
  const Plan time = searching("budget: {seconds: 1.5}");
  History history = with(1, 0);
  history.seconds = 1.4;
  EXPECT_FALSE(spent(time, history));
  history.seconds = 1.5;
  EXPECT_EQ(spent(time, history), "the budget of 1.5 seconds is over");
}

TEST(Next, GivesUpWhenTrialsKeepFailing) {
  const Plan plan = searching("max_concurrent: 100, budget: {trials: 100}");
  EXPECT_EQ(next(plan, with(5, 9, TrialState::kFailed), 1).kind, Next::Kind::kTrial);
  const Next over = next(plan, with(0, 10, TrialState::kFailed), 1);
  EXPECT_EQ(over.kind, Next::Kind::kGivenUp);
  EXPECT_EQ(over.reason, "the last 10 trials failed");
  History mixed = with(0, 12, TrialState::kFailed);
  mixed.trials[5].state = TrialState::kFinished;
  EXPECT_EQ(next(plan, mixed, 1).kind, Next::Kind::kTrial);
}

TEST(Next, AGridEndsWithItsLastSetting) {
  const Plan grid = plan("{search: grid, space: {train.seed: [1, 2, 3]}}");
  EXPECT_EQ(next(grid, with(0, 2), 1).setting, (Setting{{"train.seed", "3"}}));
  EXPECT_EQ(next(grid, with(1, 2), 1).reason,
            "every setting of the grid was tried; 1 have not ended");
  EXPECT_EQ(next(grid, with(0, 3), 1).kind, Next::Kind::kDone);
}

}  // namespace
}  // namespace prefixmem::sweep
