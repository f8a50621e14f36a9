#include "client/render/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "common/files.h"
#include "tests/unit/client/messages.h"
#include "tests/unit/client/pmt_runner.h"

namespace prefixmem::client {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int64_t kSecond = 1000000;

// Events of one job, a second apart unless told otherwise.
class History {
 public:
  History() { state(v1::JOB_STATE_QUEUED, "submitted"); }

  void state(v1::JobState state, const std::string& reason = "") {
    v1::JobEvent& event = next();
    event.mutable_state()->set_state(state);
    event.mutable_state()->set_reason(reason);
  }
  void start() {
    ++attempt_;
    state(v1::JOB_STATE_STARTING, "2 ranks on worker w");
    state(v1::JOB_STATE_RUNNING, "attempt 1 on worker w");
  }
  void phase(const std::string& name) {
    next().mutable_trainer()->mutable_phase()->set_phase(name);
  }
  void step(int64_t number, double seconds) {
    v1::StepEvent& step = *next().mutable_trainer()->mutable_step();
    step.set_step(number);
    step.set_step_seconds(seconds);
    step.set_loss(0.5);
  }
  void checkpoint(int64_t step, double seconds) {
    v1::ArtifactEvent& file = *next().mutable_trainer()->mutable_artifact();
    file.set_kind("checkpoint");
    file.set_step(step);
    file.set_seconds(seconds);
  }
  void eval(double seconds) {
    v1::EvalEvent& eval = *next().mutable_trainer()->mutable_eval();
    eval.set_metric("accuracy");
    eval.set_value(0.75);
    eval.set_seconds(seconds);
  }
  void result() { next().mutable_trainer()->mutable_result()->set_steps(2); }
  void log(const std::string& message) {
    v1::LogEvent& log = *next().mutable_trainer()->mutable_log();
    log.set_level("warning");
    log.set_message(message);
  }
  // Moves the clock that the next event is stamped by.
  void pass(int64_t seconds) { now_ += seconds; }

  std::vector<Span> spans(int64_t now = kStart + 1000) const {
    v1::Job job = make_job("job-1", "n", v1::JOB_STATE_SUCCEEDED);
    job.mutable_create_time()->set_seconds(kStart);
    return spans_of(job, events_, now * 1000);
  }

 private:
  v1::JobEvent& next() {
    v1::JobEvent event;
    event.set_attempt(attempt_);
    event.mutable_time()->set_seconds(now_++);
    events_.push_back(event);
    return events_.back();
  }

  int64_t now_ = kStart;
  int attempt_ = 0;
  std::vector<v1::JobEvent> events_;
};

// "  training 4..9": indented by depth, in seconds since the start.
std::vector<std::string> lines_of(const std::vector<Span>& spans) {
  std::vector<std::string> lines;
  for (const Span& span : spans) {
    const auto at = [](int64_t time) { return std::to_string(time / kSecond - kStart); };
    lines.push_back(std::string(2UL * static_cast<size_t>(span.depth), ' ') + span.name + " " +
                    at(span.begin) + (span.instant ? "" : ".." + at(span.end)));
  }
  return lines;
}

// What is wrong with the nesting; empty: nothing.
std::vector<std::string> faults_of(const std::vector<Span>& spans) {
  std::vector<std::string> faults;
  std::vector<const Span*> around;
  for (const Span& span : spans) {
    if (span.end < span.begin) faults.push_back(span.name + " ends before it begins");
    while (!around.empty() && around.back()->depth >= span.depth) {
      if (!span.instant && around.back()->end > span.begin) {
        faults.push_back(span.name + " overlaps " + around.back()->name);
      }
      around.pop_back();
    }
    for (const Span* outer : around) {
      const bool within = outer->begin <= span.begin && span.end <= outer->end;
      if (!within) faults.push_back(span.name + " leaves " + outer->name);
    }
    if (!span.instant) around.push_back(&span);
  }
  return faults;
}

History whole_life() {
  History job;
  job.start();
  job.phase("loading");
  job.phase("training");
  job.step(1, 1);
  job.step(2, 0.5);
  job.checkpoint(2, 0.25);
  job.phase("evaluating");
  job.eval(0.5);
  job.phase("saving");
  job.result();
  job.state(v1::JOB_STATE_SUCCEEDED);
  return job;
}

TEST(Trace, AJobsLifeFromSubmitToResult) {
  const auto spans = whole_life().spans();
  EXPECT_THAT(
      lines_of(spans),
      ElementsAre("n 0..12", "  submitted 0", "  queued 0..1", "  attempt 1 1..12",
                  "    starting 1..2", "    loading 3..4", "    training 4..8", "      step 4..5",
                  "      first step 5", "      step 5..6", "      checkpoint 6..7",
                  "    evaluating 8..10", "      evaluation accuracy 8..9", "    saving 10..12",
                  "      result 11", "  succeeded 12"));
  EXPECT_THAT(faults_of(spans), IsEmpty());
}

TEST(Trace, WhatTookLongBeginsWhereWhatWasBeforeEnds) {
  History job;
  job.start();
  job.phase("training");
  job.step(1, 100);
  job.step(2, 100);
  job.checkpoint(2, 100);
  const auto spans = job.spans();
  EXPECT_THAT(faults_of(spans), IsEmpty());
  for (const Span& span : spans) {
    EXPECT_TRUE(span.depth != 3 || span.instant || span.end - span.begin <= kSecond);
  }
}

TEST(Trace, WhatTookNoTimeIsBesideWhatWasBeforeIt) {
  History job;
  job.start();
  job.phase("saving");
  job.checkpoint(1, 0);
  job.checkpoint(2, 0);
  const auto spans = job.spans();
  EXPECT_THAT(faults_of(spans), IsEmpty());
  std::vector<const Span*> saved;
  for (const Span& span : spans) {
    if (span.name == "checkpoint") saved.push_back(&span);
  }
  ASSERT_EQ(saved.size(), 2);
  EXPECT_LT(saved[0]->begin, saved[0]->end);
  EXPECT_LE(saved[0]->end, saved[1]->begin);
}

TEST(Trace, AnotherHostsClockDoesNotBreakTheNesting) {
  History job;
  job.start();
  job.pass(-30);
  job.phase("loading");
  job.phase("training");
  job.step(1, 0.5);
  job.pass(60);
  job.step(2, 0.5);
  job.pass(-45);
  job.state(v1::JOB_STATE_FAILED, "rank 1 was killed");
  EXPECT_THAT(faults_of(job.spans()), IsEmpty());
}

TEST(Trace, EachAttemptHasItsSpanAndTheQueueBetween) {
  History job;
  job.state(v1::JOB_STATE_QUEUED, "waits for 2 slots of one worker to be free");
  job.start();
  job.phase("training");
  job.step(1, 0.5);
  job.log("rank 1 on host h keeps the others waiting");
  job.state(v1::JOB_STATE_QUEUED, "retry 1 of 3");
  job.start();
  job.phase("training");
  job.step(2, 0.5);
  job.state(v1::JOB_STATE_CANCELLED, "cancelled by a client");
  const auto spans = job.spans();
  EXPECT_THAT(faults_of(spans), IsEmpty());
  std::map<std::string, int> count;
  for (const Span& span : spans) ++count[span.name];
  EXPECT_EQ(count["queued"], 3);
  EXPECT_EQ(count["attempt 1"], 1);
  EXPECT_EQ(count["attempt 2"], 1);
  EXPECT_EQ(count["first step"], 1);
  EXPECT_EQ(count["warning"], 1);
  EXPECT_EQ(count["cancelled"], 1);
  for (const Span& span : spans) EXPECT_FALSE(span.args.contains("open")) << span.name;
}

TEST(Trace, WhatStillRunsIsOpenUntilNow) {
  History job;
  job.start();
  job.phase("training");
  job.state(v1::JOB_STATE_RUNNING, "cancel asked for; worker w stops it");
  const auto spans = job.spans(kStart + 50);
  EXPECT_THAT(faults_of(spans), IsEmpty());
  EXPECT_THAT(lines_of(spans),
              ElementsAre("n 0..50", "  submitted 0", "  queued 0..1", "  attempt 1 1..50",
                          "    starting 1..2", "    training 3..50", "      running 4"));
  EXPECT_TRUE(spans[0].args.contains("open"));
  EXPECT_TRUE(spans[5].args.contains("open"));
  EXPECT_FALSE(spans[4].args.contains("open"));
}

TEST(Trace, TheJsonHoldsAProcessForEachJob) {
  v1::Job job = make_job("job-1", "n", v1::JOB_STATE_SUCCEEDED);
  const auto json = nlohmann::json::parse(
      trace_json({{job, whole_life().spans()},
                  {job, {{"late", 0, true, (kStart + 2) * kSecond, (kStart + 2) * kSecond}}}}));
  const auto& events = json["traceEvents"];
  EXPECT_EQ(events[0]["ph"], "M");
  EXPECT_EQ(events[0]["args"]["name"], "n (job-1)");
  for (const int track : {1, 2}) {
    EXPECT_EQ(events[track]["name"], "thread_name");
    EXPECT_EQ(events[track]["tid"], track);
  }
  EXPECT_EQ(events[3]["name"], "n");
  EXPECT_EQ(events[3]["ph"], "X");
  EXPECT_EQ(events[3]["ts"], 0);
  EXPECT_EQ(events[3]["dur"], 12 * kSecond);
  EXPECT_EQ(events[3]["pid"], 1);
  EXPECT_EQ(events[3]["tid"], 1);
  EXPECT_EQ(events[4]["ph"], "i");
  EXPECT_EQ(events[4]["tid"], 2);
  const auto& late = events.back();
  EXPECT_EQ(late["pid"], 2);
  EXPECT_EQ(late["ts"], 2 * kSecond);
}

TEST(TraceCommand, WritesTheTraceToStdoutOrAFile) {
  Pmt pmt;
  pmt.service.jobs = {make_job("job-1", "n", v1::JOB_STATE_SUCCEEDED)};
  pmt.service.events["job-1"] = events_of("job-1", v1::JOB_STATE_SUCCEEDED);
  const Outcome shown = pmt.run({"trace", "job-1"});
  ASSERT_EQ(shown.code, 0) << shown.err;
  EXPECT_GT(shown.json()["traceEvents"].size(), 5U);
  ASSERT_EQ(pmt.service.watched.size(), 1U);
  EXPECT_TRUE(pmt.service.watched[0].past_only());
  ASSERT_EQ(pmt.run({"trace", "job-1", "--out", "t.json"}).code, 0);
  EXPECT_EQ(*read_file(pmt.path("t.json")), shown.out);
}

}  // namespace
}  // namespace prefixmem::client
