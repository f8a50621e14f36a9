// resources.time_limit: counted over attempts, ended in order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kTenSeconds = "resources: {time_limit: 10s}";

class TimeLimitTest : public CoordinatorTest {
 protected:
  void SetUp() override {
    CoordinatorTest::SetUp();
    ASSERT_TRUE(connect("w", 1).ok());
  }
  // Job "a" on w.
  void run_job() {
    submit("a", kTenSeconds);
    ASSERT_TRUE(events("w", "a/1", 1, {step_event(1)}).ok());
    coordinator().tick();
    heard("w");
  }
};

TEST_F(TimeLimitTest, AJobThatReachesItIsStoppedWithACheckpointAndFails) {
  run_job();
  pass(seconds(10) - Millis(100));
  EXPECT_EQ(state("a"), "running: attempt 1 on worker w");
  pass(Millis(100));
  EXPECT_EQ(state("a"), "running: the time limit of 10s is used up; worker w stops it");
  ASSERT_EQ(link("w")->sent.size(), 1u);
  EXPECT_EQ(link("w")->sent[0].cancel().grace_seconds(), 30);
  pass(seconds(1));
  EXPECT_THAT(heard("w"), ElementsAre("cancel a/1: the time limit of 10s is used up"))
      << "it is asked once";
  ASSERT_TRUE(upload("a/1", 7).ok());
  ASSERT_TRUE(ended("w", "a/1", "CANCELLED", "the time limit of 10s is used up").ok());
  EXPECT_EQ(state("a"),
            "failed: the time limit of 10s is used up; its checkpoint of step 7 is kept");
  EXPECT_EQ(job("a").failure_code(), "RESOURCE_EXHAUSTED");
  EXPECT_EQ(coordinator().reader().artifacts(job("a").id())->size(), 1u);
}

TEST_F(TimeLimitTest, OneThatFinishesWhileItIsStoppedHasSucceeded) {
  run_job();
  pass(seconds(11));
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  EXPECT_EQ(state("a"), "succeeded: finished");
}

TEST_F(TimeLimitTest, TimeInTheQueueDoesNotCount) {
  submit("holder");
  submit("a", kTenSeconds);
  clock_.advance(hours(1));
  ASSERT_TRUE(ended("w", "holder/1", "OK").ok());
  pass(seconds(9));
  EXPECT_EQ(state("a"), "starting: 1 rank on worker w");
  pass(seconds(1));
  EXPECT_EQ(state("a"), "starting: the time limit of 10s is used up; worker w stops it");
  ASSERT_TRUE(ended("w", "a/1", "CANCELLED").ok());
  EXPECT_EQ(state("a"), "failed: the time limit of 10s is used up; it has left no checkpoint");
}

TEST_F(TimeLimitTest, AttemptsAreAddedUp) {
  run_job();
  pass(seconds(6));
  ASSERT_TRUE(ended("w", "a/1", "UNAVAILABLE", "rank 0 is gone").ok());
  EXPECT_EQ(state("a"), "starting: 1 rank on worker w");
  pass(seconds(4) - Millis(100));
  EXPECT_EQ(state("a"), "starting: 1 rank on worker w");
  pass(Millis(100));
  EXPECT_EQ(state("a"), "starting: the time limit of 10s is used up; worker w stops it");
}

TEST_F(TimeLimitTest, WhatHasNoTimeLeftIsNotTriedAgain) {
  run_job();
  ASSERT_TRUE(coordinator().drain("w").ok());
  clock_.advance(seconds(10));  // its end comes before the next tick
  ASSERT_TRUE(ended("w", "a/1", "CANCELLED", "worker w is drained").ok());
  EXPECT_EQ(state("a"), "failed: the time limit of 10s is used up; it has left no checkpoint");
}

TEST_F(TimeLimitTest, ACancelComesFirst) {
  run_job();
  ASSERT_TRUE(coordinator().cancel("a").ok());
  pass(seconds(11));
  ASSERT_TRUE(ended("w", "a/1", "CANCELLED").ok());
  EXPECT_EQ(state("a"), "cancelled: cancelled by a client");
}

TEST_F(TimeLimitTest, AJobThatIsOverItsLimitCanStillBeCancelled) {
  run_job();
  pass(seconds(11));
  ASSERT_TRUE(coordinator().cancel("a").ok());
  EXPECT_EQ(link("w")->sent.back().cancel().grace_seconds(), 0) << "it has no 30 s any more";
  ASSERT_TRUE(ended("w", "a/1", "CANCELLED").ok());
  EXPECT_EQ(state("a"), "cancelled: cancelled by a client");
}

TEST_F(TimeLimitTest, ADrainDoesNotGiveMoreTime) {
  run_job();
  ASSERT_TRUE(coordinator().drain("w").ok());
  pass(seconds(11));
  EXPECT_EQ(state("a"), "running: the time limit of 10s is used up; worker w stops it");
}

TEST_F(TimeLimitTest, OutlivesTheCoordinatorWhoseAbsenceCounts) {
  run_job();
  pass(seconds(3));
  ASSERT_TRUE(ended("w", "a/1", "UNAVAILABLE", "rank 0 is gone").ok());
  pass(seconds(2));
  clock_.advance(seconds(3));  // nobody is there
  restart();
  ages_["a/2"] = seconds(5);
  ASSERT_TRUE(connect("w", 1, {"a/2"}).ok());
  pass(seconds(2) - Millis(100));
  EXPECT_EQ(state("a"), "starting: 1 rank on worker w");
  pass(Millis(100));
  EXPECT_EQ(state("a"), "starting: the time limit of 10s is used up; worker w stops it");
  restart();
  ages_["a/2"] = seconds(7);
  ASSERT_TRUE(connect("w", 1, {"a/2"}).ok());
  EXPECT_THAT(heard("w"),
              ElementsAre("registered", "cancel a/2: the time limit of 10s is used up"));
}

TEST_F(TimeLimitTest, AWallClockThatIsSetTakesNoTimeAway) {
  run_job();
  clock_.set_wall(clock_.wall() + hours(5));
  coordinator().tick();
  EXPECT_EQ(state("a"), "running: attempt 1 on worker w");
  restart();
  ages_["a/1"] = seconds(0);
  ASSERT_TRUE(connect("w", 1, {"a/1"}).ok());
  pass(seconds(5));
  EXPECT_EQ(state("a"), "running: attempt 1 on worker w");
  clock_.set_wall(clock_.wall() - hours(10));
  restart();
  ages_["a/1"] = seconds(5);
  ASSERT_TRUE(connect("w", 1, {"a/1"}).ok());
  pass(seconds(5) - Millis(100));
  EXPECT_EQ(state("a"), "running: attempt 1 on worker w");
  pass(Millis(100));
  EXPECT_EQ(state("a"), "running: the time limit of 10s is used up; worker w stops it");
}

TEST_F(TimeLimitTest, AWorkerThatDialsAgainGivesNoTime) {
  run_job();
  pass(seconds(9));
  ages_["a/1"] = seconds(1);
  ASSERT_TRUE(connect("w", 1, {"a/1"}).ok());
  pass(seconds(1));
  EXPECT_EQ(state("a"), "running: the time limit of 10s is used up; worker w stops it");
}

TEST_F(TimeLimitTest, WithoutOneAJobRunsAsLongAsItTakes) {
  submit("a");
  heard("w");
  for (int day = 0; day < 400; ++day) {
    clock_.advance(hours(24));
    ASSERT_TRUE(heartbeat("w", {"a/1"}).ok());
    coordinator().tick();
  }
  EXPECT_THAT(heard("w"), IsEmpty());
}

}  // namespace
}  // namespace prefixmem
