// What an attempt reports, from its first event to its end.
#include <gmock/gmock.h>

#include <gtest/gtest.h>

#include <limits>

#include "common/proto/timestamps.h"
#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Job "a" is assigned to worker "w".
class AttemptTest : public CoordinatorTest {
 protected:
  void SetUp() override {
    CoordinatorTest::SetUp();
    ASSERT_TRUE(connect("w", 1).ok());
    submit("a");
    heard("w");
  }
};

TEST_F(AttemptTest, RunsFromItsFirstEventOn) {
  EXPECT_EQ(state("a"), "starting: 1 rank on worker w");
  ASSERT_TRUE(events("w", "a/1", 1, {phase_event("loading"), step_event(1)}).ok());
  ASSERT_TRUE(events("w", "a/1", 3, {log_event("x")}).ok());
  coordinator().tick();
  EXPECT_EQ(state("a"), "running: attempt 1 on worker w");
  EXPECT_THAT(history("a"), ElementsAre("1 queued: submitted", "2 starting: 1 rank on worker w",
                                        "3 running: attempt 1 on worker w", "4 phase loading",
                                        "5 step 1", "6 log x"));
}

TEST_F(AttemptTest, EventsAreAcknowledgedOnceTheyAreDurable) {
  ASSERT_TRUE(events("w", "a/1", 1, {step_event(1), step_event(2)}).ok());
  ASSERT_TRUE(events("w", "a/1", 3, {step_event(3)}).ok());
  EXPECT_THAT(heard("w"), IsEmpty());
  EXPECT_EQ(history("a").size(), 2u);
  coordinator().tick();
  EXPECT_THAT(heard("w"), ElementsAre("events of a/1 up to 2", "events of a/1 up to 3"));
  EXPECT_EQ(history("a").size(), 6u);
}

TEST_F(AttemptTest, ManyEventsDoNotWaitForTheNextTick) {
  const std::vector<v1::TrainerEvent> many(3000, log_event("x"));
  ASSERT_TRUE(events("w", "a/1", 1, many).ok());
  EXPECT_THAT(heard("w"), ElementsAre("events of a/1 up to 3000"));
  EXPECT_EQ(history("a").size(), 3003u);
}

TEST_F(AttemptTest, AnEventThatIsKnownIsDropped) {
  ASSERT_TRUE(events("w", "a/1", 1, {step_event(1), step_event(2)}).ok());
  ASSERT_TRUE(events("w", "a/1", 1, {step_event(1), step_event(2)}).ok());
  coordinator().tick();
  ASSERT_TRUE(events("w", "a/1", 2, {step_event(2), step_event(3)}).ok());
  coordinator().tick();
  EXPECT_THAT(heard("w"), ElementsAre("events of a/1 up to 2", "events of a/1 up to 2",
                                      "events of a/1 up to 3"));
  const auto seen = history("a");
  EXPECT_THAT(std::vector(seen.begin() + 3, seen.end()),
              ElementsAre("4 step 1", "5 step 2", "6 step 3"));
  EXPECT_EQ(job("a").progress().tokens(), 300);
}

TEST_F(AttemptTest, AGapIsRefused) {
  ASSERT_TRUE(events("w", "a/1", 1, {step_event(1)}).ok());
  const std::string id = job("a").id();
  EXPECT_EQ(
      events("w", "a/1", 3, {step_event(3)}).to_string(),
      "FAILED_PRECONDITION: events of attempt 1 of " + id + " begin at number 3; allowed: 1 to 2");
  for (const int64_t number : {int64_t{0}, std::numeric_limits<int64_t>::max()}) {
    EXPECT_EQ(events("w", "a/1", number, {step_event(1)}).code(), Code::kInvalidArgument);
  }
  coordinator().tick();
  EXPECT_EQ(history("a").size(), 4u);
}

TEST_F(AttemptTest, EventsOfAnotherAttemptAreAcknowledgedAndDropped) {
  ASSERT_TRUE(connect("other", 1).ok());
  heard("other");
  ASSERT_TRUE(events("other", "a/1", 5, {step_event(5), step_event(6)}).ok());
  ASSERT_TRUE(events("w", "a/7", 1, {step_event(1)}).ok());
  coordinator().tick();
  EXPECT_THAT(heard("other"), ElementsAre("events of a/1 up to 6"));
  EXPECT_THAT(heard("w"), ElementsAre("events of a/7 up to 1"));
  EXPECT_EQ(state("a"), "starting: 1 rank on worker w");
}

TEST_F(AttemptTest, SucceedsAndMakesRoomForTheNext) {
  submit("b");
  clock_.advance(Millis(2000));
  ASSERT_TRUE(events("w", "a/1", 1, {step_event(1)}).ok());
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  EXPECT_THAT(heard("w"), ElementsAre("events of a/1 up to 1", "assign b/1", "end of a/1"));
  EXPECT_EQ(state("a"), "succeeded: finished");
  const v1::Job after = job("a");
  EXPECT_EQ(after.failure_code(), "");
  EXPECT_FALSE(after.progress().has_eta_seconds());
  EXPECT_EQ(from_timestamp(after.end_time()) - from_timestamp(after.start_time()), Millis(2000));
  EXPECT_EQ(state("b"), "starting: 1 rank on worker w");
}

TEST_F(AttemptTest, FailsWithCodeSentenceAndStderr) {
  ASSERT_TRUE(ended("w", "a/1", "INVALID_ARGUMENT", "row 3 has no prompt", "Traceback\n").ok());
  EXPECT_EQ(state("a"), "failed: row 3 has no prompt");
  EXPECT_EQ(job("a").failure_code(), "INVALID_ARGUMENT");
  EXPECT_EQ(job("a").stderr_tail(), "Traceback\n");
  EXPECT_EQ(job("a").attempt(), 1);
  const auto attempt = *coordinator().reader().attempt(job("a").id(), 1);
  ASSERT_TRUE(attempt);
  EXPECT_EQ(attempt->code, "INVALID_ARGUMENT");
  EXPECT_EQ(attempt->message, "row 3 has no prompt");
  EXPECT_EQ(attempt->end, clock_.wall());
}

TEST_F(AttemptTest, AnUnavailableEndIsTriedAgain) {
  ASSERT_TRUE(upload("a/1", 10).ok());
  ASSERT_TRUE(ended("w", "a/1", "UNAVAILABLE", "rank 1 lost rank 0").ok());
  EXPECT_THAT(heard("w"), ElementsAre("assign a/2 from step 10", "end of a/1"));
  EXPECT_THAT(history("a"),
              ElementsAre("1 queued: submitted", "2 starting: 1 rank on worker w",
                          "3 queued: rank 1 lost rank 0; retry 1 of 3 from the checkpoint of step "
                          "10",
                          "4 starting: 1 rank on worker w"));
}

TEST_F(AttemptTest, ACodeThatIsNoneIsAFaultOfOurs) {
  ASSERT_TRUE(ended("w", "a/1", "BROKEN", "what now").ok());
  EXPECT_EQ(state("a"), "failed: worker w reports code \"BROKEN\": what now");
  EXPECT_EQ(job("a").failure_code(), "INTERNAL");
}

TEST_F(AttemptTest, TheEndOfAnotherAttemptIsAcknowledgedAndChangesNothing) {
  ASSERT_TRUE(ended("w", "a/2", "OK").ok());
  EXPECT_THAT(heard("w"), ElementsAre("end of a/2"));
  EXPECT_EQ(state("a"), "starting: 1 rank on worker w");
}

TEST_F(AttemptTest, AnEndThatIsRepeatedIsAcknowledgedAgain) {
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  EXPECT_THAT(heard("w"), ElementsAre("end of a/1", "end of a/1"));
  EXPECT_EQ(history("a").size(), 3u);
}

TEST_F(AttemptTest, AHeartbeatThatNamesAStaleAttemptIsAnsweredWithItsCancel) {
  ASSERT_TRUE(heartbeat("w", {"a/1"}).ok());
  ASSERT_TRUE(heartbeat("w", {"a/4"}).ok());
  coordinator().tick();
  EXPECT_THAT(heard("w"), ElementsAre("cancel a/4: the attempt is not current any more"));
}

TEST_F(AttemptTest, MessagesThatMeanNothingEndTheLink) {
  EXPECT_EQ(receive("w", {}).to_string(),
            "INVALID_ARGUMENT: message is empty; allowed: heartbeat, events, ended or note");
  v1::WorkerMessage again;
  again.mutable_register_()->set_worker_id("w");
  EXPECT_EQ(receive("w", again).to_string(),
            "FAILED_PRECONDITION: register is sent once, first on the stream");
}

TEST_F(AttemptTest, WorkersSayWhatTheyHold) {
  clock_.advance(Millis(1500));
  ASSERT_TRUE(connect("v", 4, {}, "cuda").ok());
  const auto workers = coordinator().workers();
  ASSERT_EQ(workers.size(), 2u);
  EXPECT_EQ(workers[0].id(), "v");
  EXPECT_EQ(workers[0].device(), "cuda");
  EXPECT_EQ(workers[0].used_slots(), 0);
  EXPECT_EQ(workers[1].id(), "w");
  EXPECT_EQ(workers[1].state(), "connected");
  EXPECT_EQ(workers[1].slots(), 1);
  EXPECT_EQ(workers[1].used_slots(), 1);
  ASSERT_EQ(workers[1].job_ids_size(), 1);
  EXPECT_EQ(workers[1].job_ids(0), job("a").id());
  EXPECT_EQ(workers[1].heartbeat_age_seconds(), 1.5);
}

}  // namespace
}  // namespace prefixmem
