// Leases, retries and workers that come back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// The grace time is over; job "a" runs on worker "w".
class LostWorkerTest : public CoordinatorTest {
 protected:
  void SetUp() override {
    config_.grace = Millis(0);
    config_.scheduler.lease = Millis(15000);
    config_.forget = Millis(60000);
    CoordinatorTest::SetUp();
    run_a();
  }
  std::vector<std::string> worker_states() {
    std::vector<std::string> texts;
    for (const v1::Worker& worker : coordinator().workers()) {
      texts.push_back(worker.id() + " " + worker.state());
    }
    return texts;
  }
};

TEST_F(LostWorkerTest, HeartbeatsKeepTheLease) {
  for (int i = 0; i < 10; ++i) {
    pass(Millis(15000));
    ASSERT_TRUE(heartbeat("w", {"a/1"}).ok());
  }
  EXPECT_EQ(state("a"), "running: attempt 1 on worker w");
  EXPECT_TRUE(link("w")->open());
}

TEST_F(LostWorkerTest, ASilentWorkerIsGivenUpAndItsJobWaits) {
  pass(Millis(15100));
  EXPECT_THAT(worker_states(), ElementsAre("w lost"));
  EXPECT_EQ(link("w")->closed.to_string(), "UNAVAILABLE: worker w was silent for 15.1 s");
  EXPECT_THAT(history("a"),
              ElementsAre("1 queued: submitted", "2 starting: 1 rank on worker w",
                          "3 running: attempt 1 on worker w", "4 step 1",
                          "5 queued: worker w was silent for 15.1 s; retry 1 of 3 from the "
                          "beginning",
                          "6 queued: no worker is connected"));
  EXPECT_EQ((*coordinator().reader().attempt(job("a").id(), 1))->code, "UNAVAILABLE");
}

TEST_F(LostWorkerTest, UntilThenOneWhoseStreamHasEndedIsDisconnected) {
  disconnect("w");
  EXPECT_THAT(worker_states(), ElementsAre("w disconnected"));
  EXPECT_EQ(state("a"), "running: attempt 1 on worker w") << "which it may still do";
  ASSERT_TRUE(coordinator().cordon("w").ok());
  EXPECT_THAT(worker_states(), ElementsAre("w disconnected")) << "nor could it be placed on before";
  ASSERT_TRUE(connect("w", 1, {"a/1"}).ok());
  EXPECT_THAT(worker_states(), ElementsAre("w cordoned"));
}

TEST_F(LostWorkerTest, AnotherWorkerGoesOnFromTheNewestCheckpoint) {
  ASSERT_TRUE(upload("a/1", 20, "of step 20").ok());
  ASSERT_TRUE(upload("a/1", 10, "of step 10").ok());
  ASSERT_TRUE(connect("v", 1).ok());
  pass(Millis(10000));
  ASSERT_TRUE(heartbeat("v").ok());
  heard("v");
  pass(Millis(5100));
  EXPECT_THAT(heard("v"), ElementsAre("assign a/2 from step 20 or 10"));
  EXPECT_EQ(state("a"), "starting: 1 rank on worker v");
  EXPECT_EQ(job("a").attempt(), 2);
  EXPECT_EQ(job("a").worker_id(), "v");
  ASSERT_TRUE(events("v", "a/2", 1, {step_event(21)}).ok());
  ASSERT_TRUE(ended("v", "a/2", "OK").ok());
  EXPECT_EQ(state("a"), "succeeded: finished");
  EXPECT_THAT(history("a"), SizeIs(9));
}

TEST_F(LostWorkerTest, RetriesComeToAnEnd) {
  for (int attempt = 2; attempt <= 4; ++attempt) {
    pass(Millis(15100));
    ASSERT_TRUE(connect("w", 1).ok());
    EXPECT_THAT(heard("w"), ElementsAre("registered", "assign a/" + std::to_string(attempt)));
  }
  pass(Millis(15100));
  EXPECT_EQ(state("a"), "failed: worker w was silent for 15.1 s; given up after 3 retries");
  EXPECT_EQ(job("a").failure_code(), "UNAVAILABLE");
}

TEST_F(LostWorkerTest, WhatComesOverTheClosedLinkIsDropped) {
  pass(Millis(15100));
  const size_t known = history("a").size();
  EXPECT_TRUE(events("w", "a/1", 2, {step_event(2)}).ok());
  EXPECT_TRUE(ended("w", "a/1", "OK").ok());
  EXPECT_TRUE(heartbeat("w").ok());
  coordinator().tick();
  EXPECT_THAT(history("a"), SizeIs(known));
  EXPECT_THAT(worker_states(), ElementsAre("w lost"));
  EXPECT_THAT(heard("w"), IsEmpty());
}

TEST_F(LostWorkerTest, NoneIsLostBecauseTheCoordinatorStoodStill) {
  clock_.advance(Millis(60000));
  coordinator().tick();
  EXPECT_THAT(worker_states(), ElementsAre("w connected"));
  pass(Millis(14900));
  EXPECT_THAT(worker_states(), ElementsAre("w connected"));
  ASSERT_TRUE(heartbeat("w", {"a/1"}).ok());
  pass(Millis(15000));
  EXPECT_EQ(state("a"), "running: attempt 1 on worker w");
}

TEST_F(LostWorkerTest, OneThatStaysSilentAfterSuchAPauseIsLost) {
  clock_.advance(Millis(60000));
  coordinator().tick();
  pass(Millis(15000));
  EXPECT_EQ(link("w")->closed.to_string(), "UNAVAILABLE: worker w was silent for 75.0 s");
}

TEST_F(LostWorkerTest, ATickThatIsLateByLessChangesNothing) {
  pass(Millis(8000));
  clock_.advance(Millis(7500));
  coordinator().tick();
  EXPECT_THAT(worker_states(), ElementsAre("w lost"));
}

TEST_F(LostWorkerTest, OneThatComesBackMustKillWhatIsNotCurrent) {
  ASSERT_TRUE(connect("v", 1).ok());
  pass(Millis(10000));
  ASSERT_TRUE(heartbeat("v").ok());
  pass(Millis(5100));
  ASSERT_TRUE(connect("w", 1, {"a/1"}).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered, stale a/1"));
  EXPECT_THAT(worker_states(), ElementsAre("v connected", "w connected"));
  ASSERT_TRUE(events("w", "a/1", 2, {step_event(2)}).ok());
  ASSERT_TRUE(ended("w", "a/1", "CANCELLED").ok());
  EXPECT_THAT(heard("w"), ElementsAre("events of a/1 up to 2", "end of a/1"));
  EXPECT_EQ(state("a"), "starting: 1 rank on worker v");
}

TEST_F(LostWorkerTest, ALostWorkerIsForgottenAfterAWhile) {
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  pass(Millis(60000));
  EXPECT_THAT(worker_states(), ElementsAre("w lost"));
  EXPECT_THAT(*coordinator().reader().workers(), SizeIs(1));
  pass(Millis(100));
  EXPECT_THAT(worker_states(), IsEmpty());
  EXPECT_THAT(*coordinator().reader().workers(), IsEmpty());
}

TEST_F(LostWorkerTest, OneThatCameBackIsNotForgotten) {
  pass(Millis(40000));
  ASSERT_TRUE(connect("w", 1).ok());
  for (int i = 0; i < 10; ++i) {
    pass(Millis(14000));
    ASSERT_TRUE(heartbeat("w").ok());
  }
  EXPECT_THAT(worker_states(), ElementsAre("w connected"));
}

}  // namespace
}  // namespace prefixmem
