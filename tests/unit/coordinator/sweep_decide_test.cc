// When trials begin, and when a sweep is over.
#include "coordinator/sweep/decide.h"

#include <gtest/gtest.h>

#include "tests/unit/coordinator/sweep_plans.h"

namespace prefixmem::sweep {
namespace {

SweepPlan searching(const std::string& more) {
  return whole_plan("{space: {train.seed: {type: int, low: 0, high: 1000}}, " + more + "}");
}

Record with(const SweepPlan& plan, int open, int ended, TrialState state = TrialState::kFinished) {
  Record record;
  for (int i = 1; i <= open + ended; ++i) {
    record.put(plan, {.number = i,
                      .candidate = i,
                      .state = i <= ended ? state : TrialState::kOpen,
                      .tokens = 100,
                      .ranks = 2});
  }
  return record;
}

Next next_of(const SweepPlan& plan, int open, int ended, int ranks = 1,
             TrialState state = TrialState::kFinished) {
  return next(plan, with(plan, open, ended, state), ranks);
}

TEST(Next, BeginsTrialsUpToMaxConcurrent) {
  const SweepPlan plan = searching("max_concurrent: 3, budget: {trials: 5}");
  EXPECT_EQ(next_of(plan, 0, 0).kind, Next::Kind::kTrial);
  EXPECT_EQ(next_of(plan, 2, 0).kind, Next::Kind::kTrial);
  const Next full = next_of(plan, 3, 1);
  EXPECT_EQ(full.kind, Next::Kind::kWait);
  EXPECT_EQ(full.reason, "3 trials have not ended");
}

TEST(Next, EndsWithItsBudgetOfTrials) {
  const SweepPlan plan = searching("max_concurrent: 3, budget: {trials: 5}");
  const Next last = next_of(plan, 1, 4);
  EXPECT_EQ(last.kind, Next::Kind::kWait);
  EXPECT_EQ(last.reason, "all 5 trials were begun; 1 have not ended");
  const Next done = next_of(plan, 0, 5);
  EXPECT_EQ(done.kind, Next::Kind::kDone);
  EXPECT_EQ(done.reason, "all 5 trials were begun");
}

TEST(Next, CountsDevices) {
  const SweepPlan plan = searching("budget: {devices: 5}");
  EXPECT_EQ(next_of(plan, 1, 0, 2).kind, Next::Kind::kTrial);
  const Next full = next_of(plan, 2, 0, 2);
  EXPECT_EQ(full.kind, Next::Kind::kWait);
  EXPECT_EQ(full.reason, "4 of 5 devices are taken");
}

TEST(Next, ABudgetOfTokensOrTimeStopsWhatRuns) {
  const SweepPlan tokens = searching("budget: {tokens: 400}");
  EXPECT_FALSE(spent(tokens, with(tokens, 3, 0)));
  EXPECT_EQ(spent(tokens, with(tokens, 3, 1)), "the budget of 400 tokens is spent");
  EXPECT_EQ(next_of(tokens, 3, 1).kind, Next::Kind::kWait);
  EXPECT_EQ(next_of(tokens, 0, 4).kind, Next::Kind::kDone);
  const SweepPlan time = searching("budget: {seconds: 1.5}");
  Record record = with(time, 1, 0);
  record.seconds = 1.4;
  EXPECT_FALSE(spent(time, record));
  record.seconds = 1.5;
  EXPECT_EQ(spent(time, record), "the budget of 1.5 seconds is over");
}

TEST(Next, GivesUpWhenTrialsKeepFailing) {
  const SweepPlan plan = searching("max_concurrent: 100, budget: {trials: 100}");
  EXPECT_EQ(next_of(plan, 5, 9, 1, TrialState::kFailed).kind, Next::Kind::kTrial);
  const Next over = next_of(plan, 0, 10, 1, TrialState::kFailed);
  EXPECT_EQ(over.kind, Next::Kind::kGivenUp);
  EXPECT_EQ(over.reason, "the last 10 trials failed");
  Record mixed = with(plan, 0, 12, TrialState::kFailed);
  sweep::Run finished = mixed.runs()[5];
  finished.state = TrialState::kFinished;
  mixed.put(plan, finished);
  EXPECT_EQ(next(plan, mixed, 1).kind, Next::Kind::kTrial);
}

TEST(Next, AGridEndsWithItsLastSetting) {
  const SweepPlan grid = whole_plan("{search: grid, space: {train.seed: [1, 2, 3]}}");
  EXPECT_EQ(next_of(grid, 0, 2).run.setting, (Setting{{"train.seed", "3"}}));
  EXPECT_EQ(next_of(grid, 1, 2).reason, "every setting of the grid was tried; 1 have not ended");
  EXPECT_EQ(next_of(grid, 0, 3).kind, Next::Kind::kDone);
}

}  // namespace
}  // namespace prefixmem::sweep
