// Workers that are asked to stop: what they ran goes on elsewhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kWhy = "worker w is shutting down";

// Job "a" runs on worker "w", which then says that it drains; no retry is allowed.
class DrainTest : public CoordinatorTest {
 protected:
  void SetUp() override {
    config_.scheduler.max_retries = 0;
    CoordinatorTest::SetUp();
    run_a();
    ASSERT_TRUE(heartbeat("w", {"a/1"}, /*draining=*/true).ok());
    coordinator().tick();
    heard("w");
  }
  std::string worker_state() { return coordinator().workers().at(0).state(); }
};

TEST_F(DrainTest, WhatRunsThereGoesOnUntilItEnds) {
  EXPECT_EQ(worker_state(), "draining");
  EXPECT_EQ(state("a"), "running: attempt 1 on worker w");
  EXPECT_THAT(heard("w"), IsEmpty());
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  EXPECT_EQ(state("a"), "succeeded: finished");
}

TEST_F(DrainTest, ItsJobsWaitForAnotherWorkerAndNoRetryIsCounted) {
  ASSERT_TRUE(ended("w", "a/1", "UNAVAILABLE", kWhy).ok());
  EXPECT_THAT(heard("w"), ElementsAre("end of a/1"));
  EXPECT_THAT(history("a").at(4),
              "5 queued: worker w is shutting down; queued again from the beginning");
  EXPECT_EQ(state("a"), "queued: waits for a worker to reconnect");
  EXPECT_EQ(coordinator().reader().unfinished_jobs()->at(0).retries, 0);
  ASSERT_TRUE(connect("x", 1).ok());
  EXPECT_THAT(heard("x"), ElementsAre("registered", "assign a/2"));
}

TEST_F(DrainTest, TheNewestCheckpointGoesAlong) {
  ASSERT_TRUE(upload("a/1", 10).ok());
  ASSERT_TRUE(ended("w", "a/1", "UNAVAILABLE", kWhy).ok());
  ASSERT_TRUE(connect("x", 1).ok());
  EXPECT_THAT(heard("x"), ElementsAre("registered", "assign a/2 from step 10"));
}

TEST_F(DrainTest, ALaterHeartbeatDoesNotTakeItBackButARegistrationDoes) {
  ASSERT_TRUE(heartbeat("w", {"a/1"}).ok());
  EXPECT_EQ(worker_state(), "draining");
  ASSERT_TRUE(connect("w", 1).ok());
  EXPECT_EQ(worker_state(), "connected");
  EXPECT_THAT(heard("w"), ElementsAre("registered", "assign a/2"));
  EXPECT_THAT(history("a").at(4),
              "5 queued: worker w no longer runs attempt 1; queued again from the beginning")
      << "it had drained when the attempt went";
}

TEST_F(DrainTest, AfterItsRegistrationALossCountsAgain) {
  ASSERT_TRUE(connect("w", 1, {"a/1"}).ok());
  ASSERT_TRUE(ended("w", "a/1", "UNAVAILABLE", "rank 0 is gone").ok());
  EXPECT_EQ(state("a"), "failed: rank 0 is gone; given up after 0 retries");
}

TEST_F(DrainTest, OneThatHasLeftIsForgottenAtOnce) {
  disconnect("w");
  EXPECT_EQ(worker_state(), "draining") << "job a may still run there";
  ASSERT_TRUE(connect("w", 1, {"a/1"}).ok());
  ASSERT_TRUE(heartbeat("w", {"a/1"}, /*draining=*/true).ok());
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  disconnect("w");
  EXPECT_THAT(coordinator().workers(), IsEmpty());
  ASSERT_TRUE(connect("w", 1).ok());
  EXPECT_EQ(worker_state(), "connected");
}

TEST_F(DrainTest, ACordonOutlivesItsWorker) {
  ASSERT_TRUE(coordinator().cordon("w").ok());
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  disconnect("w");
  EXPECT_EQ(worker_state(), "lost");
  ASSERT_TRUE(connect("w", 1).ok());
  EXPECT_EQ(worker_state(), "cordoned");
}

TEST_F(DrainTest, OneThatIsSilentIsLostLikeAnyOther) {
  pass(config_.grace + config_.scheduler.lease);
  EXPECT_EQ(worker_state(), "lost");
  EXPECT_EQ(state("a"), "queued: no worker is connected");
}

}  // namespace
}  // namespace prefixmem
