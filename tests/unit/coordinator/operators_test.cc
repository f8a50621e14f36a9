// Workers that an operator takes out of service.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Ask = Result<v1::Worker> (Coordinator::*)(const std::string&);

// Job "a" runs on worker "w" of one slot; no retry is allowed.
class OperatorTest : public CoordinatorTest {
 protected:
  void SetUp() override {
    config_.scheduler.max_retries = 0;
    CoordinatorTest::SetUp();
    run_a();
  }
  // The worker's state as it is answered.
  std::string ask(Ask what, const std::string& worker = "w") {
    const auto answer = (coordinator().*what)(worker);
    return answer.ok() ? answer->state() : answer.status().to_string();
  }
  std::string worker_state() { return coordinator().workers().at(0).state(); }
};

TEST_F(OperatorTest, ACordonLetsWhatRunsGoOnAndTakesNothingMore) {
  EXPECT_EQ(ask(&Coordinator::cordon), "cordoned");
  EXPECT_EQ(ask(&Coordinator::cordon), "cordoned") << "again";
  EXPECT_THAT(heard("w"), IsEmpty());
  submit("b");
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  EXPECT_EQ(state("a"), "succeeded: finished");
  EXPECT_EQ(state("b"), "queued: every worker that it fits is cordoned (w)");
  EXPECT_THAT(heard("w"), ElementsAre("end of a/1"));
  EXPECT_EQ(ask(&Coordinator::uncordon), "connected");
  EXPECT_THAT(heard("w"), ElementsAre("assign b/1"));
  EXPECT_EQ(ask(&Coordinator::uncordon), "connected") << "again";
}

TEST_F(OperatorTest, ADrainHasJobsGoOnElsewhereFromTheirCheckpoint) {
  ASSERT_TRUE(connect("x", 1).ok());
  EXPECT_EQ(ask(&Coordinator::drain), "draining");
  EXPECT_EQ(state("a"), "running: drain asked for; worker w stops it");
  EXPECT_THAT(heard("w"), ElementsAre("cancel a/1: worker w is drained"));
  EXPECT_EQ(ask(&Coordinator::drain), "draining");
  EXPECT_THAT(heard("w"), IsEmpty()) << "it was asked already";
  ASSERT_TRUE(upload("a/1", 10).ok());
  ASSERT_TRUE(ended("w", "a/1", "CANCELLED", "worker w is drained").ok());
  EXPECT_EQ(worker_state(), "cordoned");
  EXPECT_THAT(heard("x"), ElementsAre("registered", "assign a/2 from step 10"));
  EXPECT_THAT(history("a").at(5),
              "6 queued: worker w is drained; queued again from the checkpoint of step 10");
  EXPECT_EQ(coordinator().reader().unfinished_jobs()->at(0).retries, 0);
}

TEST_F(OperatorTest, TimeIsGivenForTheCheckpointOfADrainButNotOfACancel) {
  ask(&Coordinator::drain);
  EXPECT_EQ(link("w")->sent.back().cancel().grace_seconds(), 30);
  ASSERT_TRUE(coordinator().cancel("a").ok());
  EXPECT_EQ(link("w")->sent.back().cancel().grace_seconds(), 0);
  EXPECT_EQ(state("a"), "running: cancel asked for; worker w stops it");
  EXPECT_THAT(heard("w"),
              ElementsAre("cancel a/1: worker w is drained", "cancel a/1: cancelled by a client"));
  ASSERT_TRUE(ended("w", "a/1", "CANCELLED", "worker w is drained").ok());
  EXPECT_EQ(state("a"), "cancelled: cancelled by a client") << "whatever was asked before";
}

TEST_F(OperatorTest, ADrainDoesNotTakeACancelBack) {
  ASSERT_TRUE(coordinator().cancel("a").ok());
  heard("w");
  ask(&Coordinator::drain);
  EXPECT_THAT(heard("w"), IsEmpty());
  EXPECT_EQ(worker_state(), "cordoned") << "nothing that is there goes on elsewhere";
  ASSERT_TRUE(ended("w", "a/1", "CANCELLED", "cancelled by a client").ok());
  EXPECT_EQ(state("a"), "cancelled: cancelled by a client");
}

TEST_F(OperatorTest, AJobThatFinishedMeanwhileHasSucceeded) {
  ask(&Coordinator::drain);
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  EXPECT_EQ(state("a"), "succeeded: finished");
}

TEST_F(OperatorTest, BothOutliveRegistrationsAndTheCoordinator) {
  ask(&Coordinator::drain);
  restart();
  EXPECT_EQ(worker_state(), "draining");
  ASSERT_TRUE(connect("w", 1, {"a/1"}).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered", "cancel a/1: worker w is drained"))
      << "it may not have heard of it";
  ASSERT_TRUE(ended("w", "a/1", "CANCELLED", "worker w is drained").ok());
  EXPECT_EQ(worker_state(), "cordoned");
  EXPECT_EQ(state("a"), "queued: every worker that it fits is cordoned (w)");
  ASSERT_TRUE(connect("w", 1).ok());
  EXPECT_EQ(worker_state(), "cordoned");
  restart();
  ASSERT_TRUE(connect("w", 1).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered"));
  ask(&Coordinator::uncordon);
  restart();
  ASSERT_TRUE(connect("w", 1).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered", "assign a/2"));
}

TEST_F(OperatorTest, AnAssignmentThatWasLostIsNotSentToADrainedWorkerAgain) {
  ASSERT_TRUE(connect("x", 1).ok());
  submit("b");
  heard("x");
  ask(&Coordinator::drain, "x");
  ASSERT_TRUE(connect("x", 1).ok());
  EXPECT_THAT(heard("x"), ElementsAre("registered"));
  EXPECT_EQ(history("b").at(3), "4 queued: worker x is drained; queued again from the beginning");
}

TEST_F(OperatorTest, ACordonedWorkerIsNotForgotten) {
  ask(&Coordinator::cordon);
  pass(config_.grace + config_.scheduler.lease + Millis(200));
  clock_.advance(config_.forget);
  coordinator().tick();
  ASSERT_EQ(coordinator().workers().size(), 1u);
  EXPECT_EQ(worker_state(), "lost");
  EXPECT_TRUE(coordinator().workers().at(0).cordoned());
  ask(&Coordinator::uncordon);
  coordinator().tick();
  EXPECT_THAT(coordinator().workers(), IsEmpty());
}

TEST_F(OperatorTest, AnUnknownWorkerIsNamed) {
  for (const Ask what : {&Coordinator::cordon, &Coordinator::drain, &Coordinator::uncordon}) {
    EXPECT_EQ(ask(what, "none"), "NOT_FOUND: no worker has the id \"none\"");
  }
}

TEST_F(OperatorTest, WhatAJobDoesWhileItLeavesIsNotLost) {
  ask(&Coordinator::drain);
  ASSERT_TRUE(events("w", "a/1", 2, {step_event(2)}).ok());
  coordinator().tick();
  EXPECT_EQ(job("a").progress().step(), 2);
  EXPECT_EQ(state("a"), "running: drain asked for; worker w stops it");
}

}  // namespace
}  // namespace prefixmem
