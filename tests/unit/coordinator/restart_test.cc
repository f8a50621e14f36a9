// A coordinator that died and goes on over the same store.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Job "a" runs on worker "w"; job "b" waits.
class RestartTest : public CoordinatorTest {
 protected:
  void SetUp() override {
    CoordinatorTest::SetUp();
    ASSERT_TRUE(connect("w", 1).ok());
    submit("a");
    submit("b");
    ASSERT_TRUE(events("w", "a/1", 1, {step_event(1), step_event(2)}).ok());
    coordinator().tick();
  }
};

TEST_F(RestartTest, EveryJobIsThereAsItWas) {
  const auto before = history("a");
  const v1::Job job_before = job("a");
  restart();
  EXPECT_EQ(history("a"), before);
  EXPECT_EQ(job("a").SerializeAsString(), job_before.SerializeAsString());
  EXPECT_EQ(state("b"), "queued: waits for 1 slot of one worker to be free");
}

TEST_F(RestartTest, WhatRunsGoesOnWhenItsWorkerReports) {
  restart();
  pass(config_.grace - Millis(1000));
  ASSERT_TRUE(connect("w", 1, {"a/1"}).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered"));
  ASSERT_TRUE(events("w", "a/1", 2, {step_event(2), step_event(3)}).ok());
  pass(Millis(5000));
  EXPECT_EQ(history("a").back(), "6 step 3");
  EXPECT_EQ(job("a").progress().tokens(), 300);
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  EXPECT_EQ(state("a"), "succeeded: finished");
  EXPECT_EQ(state("b"), "starting: 1 rank on worker w");
}

TEST_F(RestartTest, EventsThatWereNotAcknowledgedComeAgain) {
  ASSERT_TRUE(events("w", "a/1", 3, {step_event(3)}).ok());
  restart();
  ASSERT_TRUE(connect("w", 1, {"a/1"}).ok());
  ASSERT_TRUE(events("w", "a/1", 3, {step_event(3)}).ok());
  coordinator().tick();
  EXPECT_THAT(heard("w"), ElementsAre("registered", "events of a/1 up to 3"));
  EXPECT_EQ(history("a").back(), "6 step 3");
}

TEST_F(RestartTest, NothingIsRescheduledInTheGraceTime) {
  restart();
  ASSERT_TRUE(connect("v", 1).ok());
  EXPECT_THAT(heard("v"), ElementsAre("registered", "assign b/1"));
  ASSERT_TRUE(ended("v", "b/1", "OK").ok());
  heard("v");
  pass(config_.grace - Millis(100));
  EXPECT_EQ(state("a"), "running: attempt 1 on worker w");
  EXPECT_THAT(heard("v"), IsEmpty());
}

TEST_F(RestartTest, AWorkerThatDoesNotReportInTheGraceTimeIsLost) {
  restart();
  ASSERT_TRUE(connect("v", 2).ok());
  pass(config_.grace - Millis(1000));
  ASSERT_TRUE(heartbeat("v").ok());
  heard("v");
  pass(Millis(1000));
  EXPECT_THAT(heard("v"), ElementsAre("assign a/2"));
  EXPECT_THAT(history("a").at(5),
              "6 queued: worker w was silent for 30.0 s; retry 1 of 3 from the beginning");
}

TEST_F(RestartTest, AnEndThatWasNotAcknowledgedComesAgain) {
  restart();
  ASSERT_TRUE(connect("w", 1, {"a/1"}).ok());
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  EXPECT_EQ(state("a"), "succeeded: finished");
  restart();
  ASSERT_TRUE(connect("w", 1, {"a/1", "b/1"}).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered, stale a/1"));
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  EXPECT_THAT(heard("w"), ElementsAre("end of a/1"));
}

TEST_F(RestartTest, ACancelThatWasAskedForIsNotForgotten) {
  ASSERT_TRUE(coordinator().cancel("a").ok());
  restart();
  ASSERT_TRUE(connect("w", 1, {"a/1"}).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered", "cancel a/1: cancelled by a client"));
}

TEST_F(RestartTest, RetriesAreNotForgotten) {
  config_.scheduler.max_retries = 1;
  restart();
  ASSERT_TRUE(connect("w", 1).ok());
  EXPECT_EQ(state("a"), "starting: 1 rank on worker w");
  ASSERT_TRUE(events("w", "a/2", 1, {step_event(1)}).ok());
  coordinator().tick();
  restart();
  ASSERT_TRUE(connect("w", 1).ok());
  EXPECT_EQ(state("a"), "failed: worker w no longer runs attempt 2; given up after 1 retry");
}

TEST_F(RestartTest, WorkersAreKnownAndALostOneStaysLost) {
  pass(config_.grace + config_.scheduler.lease);
  restart();
  const auto workers = coordinator().workers();
  ASSERT_EQ(workers.size(), 1u);
  EXPECT_EQ(workers[0].id(), "w");
  EXPECT_EQ(workers[0].state(), "lost");
  EXPECT_EQ(state("a"), "queued: no worker is connected");
}

TEST_F(RestartTest, AStoreThatLostARunningAttemptIsRefused) {
  auto other = store::Database::open(database());
  ASSERT_TRUE(other.ok());
  ASSERT_TRUE(other->execute("DELETE FROM attempts").ok());
  const auto started = Coordinator::start(config_, {.store = store(),
                                                    .clock = clock_,
                                                    .metrics = metrics_,
                                                    .on_store_failure = [](const Status&) {}});
  EXPECT_EQ(started.status().to_string(),
            "DATA_LOSS: store: " + job("a").id() + " is running and its attempt 1 is not there");
}

}  // namespace
}  // namespace prefixmem
