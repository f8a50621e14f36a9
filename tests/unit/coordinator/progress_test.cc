#include "coordinator/core/progress.h"

#include <gtest/gtest.h>

#include <limits>

#include "common/proto/timestamps.h"
#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

constexpr int64_t kStartMillis = 1000;

class ProgressTest : public testing::Test {
 protected:
  void SetUp() override {
    *record_.job.mutable_start_time() = to_timestamp(from_unix_millis(kStartMillis));
  }
  const v1::JobProgress& after(const v1::TrainerEvent& event, int64_t millis = 0) {
    apply_to_progress(event, from_unix_millis(kStartMillis + millis), record_);
    return record_.job.progress();
  }

  store::JobRecord record_;
};

v1::TrainerEvent eval_event(int64_t step, const std::string& metric, double value) {
  v1::TrainerEvent event;
  event.mutable_eval()->set_step(step);
  event.mutable_eval()->set_metric(metric);
  event.mutable_eval()->set_value(value);
  return event;
}

TEST_F(ProgressTest, APhaseBringsWhatItKnows) {
  v1::TrainerEvent event = phase_event("training");
  event.mutable_phase()->set_total_steps(100);
  event.mutable_phase()->set_trainable_parameters(7);
  const v1::JobProgress& progress = after(event, 2500);
  EXPECT_EQ(progress.phase(), "training");
  EXPECT_EQ(progress.total_steps(), 100);
  EXPECT_EQ(progress.trainable_parameters(), 7);
  EXPECT_EQ(progress.wall_seconds(), 2.5);
  EXPECT_FALSE(progress.has_eta_seconds());
  EXPECT_EQ(after(phase_event("saving")).total_steps(), 100);
  EXPECT_EQ(progress.phase(), "saving");
}

TEST_F(ProgressTest, ACheckpointBringsTheDigestOfItsState) {
  v1::TrainerEvent event;
  event.mutable_artifact()->set_step(10);
  event.mutable_artifact()->set_state_digest("c0ffee");
  EXPECT_EQ(after(event).state_digest(), "c0ffee");
  event.mutable_artifact()->set_step(12);
  event.mutable_artifact()->clear_state_digest();  // of an adapter
  const v1::JobProgress& progress = after(event);
  EXPECT_EQ(progress.state_digest(), "c0ffee");
  EXPECT_EQ(progress.state_step(), 10);
}

TEST_F(ProgressTest, AStepBringsItsFigures) {
  const v1::JobProgress& progress = after(step_event(4, 10, 0.5));
  EXPECT_EQ(progress.step(), 4);
  EXPECT_EQ(progress.total_steps(), 10);
  EXPECT_EQ(progress.loss(), 0.25);
  EXPECT_EQ(progress.tokens(), 100);
  EXPECT_EQ(progress.tokens_per_second(), 200);
  EXPECT_EQ(progress.eta_seconds(), 3);
}

TEST_F(ProgressTest, TheLargestNumbersAreCountedAsFarAsTheyGo) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  v1::TrainerEvent event = step_event(1, kMost);
  event.mutable_step()->set_tokens(kMost);
  EXPECT_EQ(after(event).tokens(), kMost);
  event.mutable_step()->set_step(2);
  EXPECT_EQ(after(event).tokens(), kMost);
  event.mutable_step()->set_step(-kMost);
  EXPECT_GT(after(event).eta_seconds(), 0);
}

TEST_F(ProgressTest, TheRemainingTimeFollowsTheMeanOfAllSteps) {
  after(step_event(1, 10, 2.0));
  const v1::JobProgress& progress = after(step_event(2, 10, 1.0));
  EXPECT_EQ(progress.eta_seconds(), 8 * 1.5);
  EXPECT_EQ(progress.tokens(), 200);
  EXPECT_EQ(after(step_event(10, 10, 3.0)).eta_seconds(), 0);
}

TEST_F(ProgressTest, TokensOfAStepDoneAgainCountOnce) {
  for (const int64_t step : {1, 2, 3}) after(step_event(step));
  for (const int64_t step : {2, 3}) after(step_event(step));
  EXPECT_EQ(record_.job.progress().tokens(), 300);
  const v1::JobProgress& progress = after(step_event(4));
  EXPECT_EQ(progress.tokens(), 400);
  EXPECT_EQ(progress.step(), 4);
}

TEST_F(ProgressTest, AStepThatTookNoTimeLeavesTheRateAlone) {
  after(step_event(1, 10, 0.5));
  EXPECT_EQ(after(step_event(2, 10, 0)).tokens_per_second(), 200);
}

TEST_F(ProgressTest, AStepBeyondTheTotalHasNoTimeLeft) {
  EXPECT_EQ(after(step_event(11, 10, 0.5)).eta_seconds(), 0);
}

TEST_F(ProgressTest, AnEvaluationOfTheSameStepReplacesTheEarlierOne) {
  after(eval_event(10, "accuracy", 0.5));
  after(eval_event(10, "loss", 2.0));
  after(eval_event(20, "accuracy", 0.6));
  const v1::JobProgress& progress = after(eval_event(10, "accuracy", 0.7));
  ASSERT_EQ(progress.evals_size(), 3);
  EXPECT_EQ(progress.evals(0).value(), 0.7);
  EXPECT_EQ(progress.evals(1).value(), 2.0);
  EXPECT_EQ(progress.evals(2).step(), 20);
}

TEST_F(ProgressTest, TheResultIsTheLastWord) {
  after(step_event(9, 10, 0.5));
  v1::TrainerEvent event;
  event.mutable_result()->set_steps(10);
  event.mutable_result()->set_final_loss(0.125);
  event.mutable_result()->set_tokens_per_second(180);
  event.mutable_result()->set_trainable_parameters(7);
  const v1::JobProgress& progress = after(event, 10000);
  EXPECT_EQ(progress.step(), 10);
  EXPECT_EQ(progress.loss(), 0.125);
  EXPECT_EQ(progress.tokens_per_second(), 180);
  EXPECT_EQ(progress.trainable_parameters(), 7);
  EXPECT_EQ(progress.eta_seconds(), 0);
  EXPECT_EQ(progress.wall_seconds(), 10);
}

TEST_F(ProgressTest, AnyEventBringsTheTime) {
  EXPECT_EQ(after(log_event("x"), 4000).wall_seconds(), 4);
  EXPECT_EQ(record_.steps_timed, 0);
}

}  // namespace
}  // namespace prefixmem
