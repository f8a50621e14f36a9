#include "client/render/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/render/text.h"
#include "tests/unit/client/messages.h"

namespace prefixmem::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// A job after its first `count` events.
JobView view_after(size_t count, v1::JobState end = v1::JOB_STATE_SUCCEEDED,
                   const std::string& reason = "") {
  JobView view = view_of(make_job("job-1", "banking", v1::JOB_STATE_QUEUED));
  for (const v1::JobEvent& event : events_of("job-1", end, reason)) {
    if (count-- == 0) break;
    view = updated(std::move(view), event);
  }
  return view;
}

TEST(JobView, IsTheFoldOfItsEvents) {
  const JobView view = view_after(4);
  EXPECT_EQ(view.state, v1::JOB_STATE_RUNNING);
  EXPECT_EQ(view.phase, "training");
  EXPECT_EQ(view.step, 2);
  EXPECT_EQ(view.loss, 0.5);
  EXPECT_EQ(view.rate, 200.0) << "200 tokens in a second";
  EXPECT_EQ(view.eta, 1.0) << "two steps of half a second";
}

TEST(JobView, ANewAttemptMeasuresItsSpeedAnew) {
  v1::JobEvent again = step_event("job-1", 9, 2);
  again.set_attempt(2);
  again.mutable_trainer()->mutable_step()->set_step_seconds(2);
  const JobView view = updated(view_after(6), again);
  EXPECT_EQ(view.attempt, 2);
  EXPECT_EQ(view.step, 2);
  EXPECT_EQ(view.rate, 50.0);
  EXPECT_EQ(view.eta, 4.0);
}

TEST(JobView, ExpectsAsManyEvaluationsAsAreToCome) {
  v1::Job job = make_job("job-1", "banking", v1::JOB_STATE_QUEUED);
  v1::JobEvent evaluated = step_event("job-1", 3, 1);
  evaluated.mutable_trainer()->mutable_eval()->set_seconds(10);
  const auto view_at = [&](int64_t step) {
    return updated(updated(view_of(job), evaluated), step_event("job-1", 4, step));
  };
  const auto eta_at = [&](int64_t step) { return *view_at(step).eta; };
  const auto eta_evaluated_at = [&](int64_t step) {
    v1::JobEvent again = evaluated;
    again.mutable_trainer()->mutable_eval()->set_step(step);
    return *updated(view_at(step), again).eta;
  };
  EXPECT_EQ(eta_at(2), 11.0) << "two steps and the evaluation at the end";
  job.mutable_spec()->mutable_train()->set_eval_every(2);
  EXPECT_EQ(eta_at(1), 21.5) << "those behind steps 2 and 4";
  EXPECT_EQ(eta_at(2), 21.0) << "the same";
  EXPECT_EQ(eta_evaluated_at(2), 11.0);
  job.mutable_spec()->mutable_train()->set_eval_every(3);
  EXPECT_EQ(eta_at(2), 21.0) << "behind step 3 and at the end";
  EXPECT_EQ(eta_at(4), 10.0) << "that of the last step";
  EXPECT_EQ(eta_evaluated_at(4), 0.0);
  v1::JobEvent again = step_event("job-1", 5, 4);
  again.set_attempt(2);
  again.mutable_trainer()->mutable_step()->set_step_seconds(1);
  evaluated.mutable_trainer()->mutable_eval()->set_step(4);
  EXPECT_EQ(*updated(updated(view_at(4), evaluated), again).eta, 10.0) << "another attempt's too";
}

TEST(JobView, StepsWithoutATimeHaveNoSpeed) {
  v1::JobEvent event = step_event("job-1", 3, 1);
  event.mutable_trainer()->mutable_step()->set_step_seconds(0);
  const JobView view = updated(view_after(2), event);
  EXPECT_FALSE(view.rate);
  EXPECT_FALSE(view.eta);
}

TEST(ProgressLine, ShowsBarStepLossSpeedAndEta) {
  EXPECT_EQ(progress_line(view_after(4), 7, 100),
            "banking  ████████████░░░░░░░░░░░░  2/4  loss 0.5        200 tok/s  ETA 1.00s");
  EXPECT_EQ(progress_line(view_after(7), 7, 100),
            "banking  ████████████████████████  4/4  loss 0.25       200 tok/s  done");
}

TEST(ProgressLine, AfterTheLastStepNamesThePhase) {
  JobView view = view_after(6);
  view.phase = "saving";
  EXPECT_EQ(progress_line(view, 7, 100),
            "banking  ████████████████████████  4/4  loss 0.25       200 tok/s  saving");
}

TEST(ProgressLine, ShowsStateAndReasonOfAJobThatDoesNotTrain) {
  JobView waiting = view_after(1);
  waiting.reason = "waits for 2 slots";
  EXPECT_EQ(progress_line(waiting, 7, 100), "banking  queued: waits for 2 slots");
  EXPECT_EQ(progress_line(view_after(7, v1::JOB_STATE_FAILED, "loss is nan"), 7, 100),
            "banking  failed: loss is nan");
  JobView loading = view_after(2);
  loading.phase = "loading";
  EXPECT_EQ(progress_line(loading, 7, 100), "banking  loading…");
}

TEST(ProgressLine, TheBarGivesWayOnNarrowTerminals) {
  const JobView view = view_after(4);
  const std::string rest = "2/4  loss 0.5        200 tok/s  ETA 1.00s";
  EXPECT_EQ(progress_line(view, 7, 60), "banking  ████░░░░  " + rest);
  EXPECT_EQ(progress_line(view, 7, 52), "banking  " + rest);
  EXPECT_THAT(progress_line(view, 7, 30), StartsWith("banking  2/4  loss 0.5"));
}

TEST(ProgressLine, IsNeverWiderThanTheTerminal) {
  for (size_t width = 0; width < 120; ++width) {
    for (size_t events = 0; events <= 7; ++events) {
      EXPECT_LE(columns_of(progress_line(view_after(events), 7, width)), width);
    }
  }
}

TEST(ProgressLine, NamesAndReasonsDoNotSteerTheTerminal) {
  JobView view = view_after(7, v1::JOB_STATE_FAILED, "bad\x1b[2Jmodel\nx");
  view.name = "a\x1b]0;b\x07";
  EXPECT_EQ(progress_line(view, 8, 100), "a ]0;b    failed: bad [2Jmodel x");
}

TEST(ProgressLine, StepsBeyondTheTotalFillTheBar) {
  JobView view = view_after(4);
  view.step = 9;
  EXPECT_THAT(progress_line(view, 7, 100), Not(HasSubstr("░")));
  view.total_steps = 0;
  EXPECT_THAT(progress_line(view, 7, 100), Not(HasSubstr("█")));
}

TEST(ProgressBlock, HasALineAJobWithNamesInOneColumn) {
  JobView other = view_after(1);
  other.name = "b";
  EXPECT_THAT(progress_block({view_after(1), other}, 80, 10),
              ElementsAre("banking  queued", "b        queued"));
}

TEST(ProgressBlock, WhatRunsComesFirstWhereNotAllFit) {
  JobView ended = view_after(7);
  ended.name = "ended";
  JobView queued = view_after(1);
  queued.name = "queued";
  JobView running = view_after(3);
  running.name = "running";
  const auto lines = progress_block({ended, queued, running, ended}, 80, 3);
  EXPECT_THAT(lines, ElementsAre(StartsWith("running"), StartsWith("queued"), "… and 2 more"));
  EXPECT_EQ(progress_block({ended, queued}, 80, 1), std::vector<std::string>{"… and 2 more"});
}

TEST(LiveBlock, GoesUpOverTheLinesBefore) {
  LiveBlock block;
  EXPECT_EQ(block.repaint({"a", "b"}), "\r\x1b[2Ka\n\r\x1b[2Kb\n\x1b[J");
  EXPECT_EQ(block.repaint({"c"}), "\x1b[2A\r\x1b[2Kc\n\x1b[J");
  EXPECT_EQ(block.repaint({}), "\x1b[1A\x1b[J");
}

}  // namespace
}  // namespace prefixmem::client
