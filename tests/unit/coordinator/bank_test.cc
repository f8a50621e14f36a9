// Trials of a sweep that share a gang: each stays a job of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Trials s-1 … s-3 are assigned to worker "w" in one gang of two ranks.
class BankTest : public CoordinatorTest {
 protected:
  void SetUp() override {
    config_.scheduler.bank_limit = 16;
    CoordinatorTest::SetUp();
    ASSERT_TRUE(connect("w", 3).ok());
    submit("s", kSweep);
  }
  v1::Worker worker() { return coordinator().workers().at(0); }
  std::string gang(const std::string& key) {
    const v1::AttemptId id = attempt(key);
    return (*coordinator().reader().attempt(id.job_id(), id.attempt()))->gang;
  }

  static constexpr const char* kSweep =
      "resources: {ranks: 2}\nsweep: {grid: {train.seed: [1, 2, 3]}}";
};

TEST_F(BankTest, StartsInOneAssignmentAndHoldsItsSlotsOnce) {
  EXPECT_THAT(heard("w"), ElementsAre("registered", "assign s-1/1, s-2/1, s-3/1"));
  for (const char* name : {"s-1", "s-2", "s-3"}) {
    EXPECT_EQ(state(name), "starting: 2 ranks on worker w, shared by 3 jobs");
    EXPECT_EQ(job(name).gang(), job("s-1").id() + "/1");
    EXPECT_EQ(job(name).gang_jobs(), 3);
    EXPECT_EQ(gang(std::string(name) + "/1"), job("s-1").id() + "/1");
  }
  EXPECT_EQ(worker().used_slots(), 2);
  EXPECT_EQ(worker().gangs(), 1);
  EXPECT_EQ(worker().job_ids_size(), 3);
  EXPECT_THAT(metrics_.text({}), HasSubstr("prefixmem_gang_jobs_sum 3"));
}

TEST_F(BankTest, TheSlotsAreFreeWhenTheLastHasEnded) {
  submit("next", "resources: {ranks: 2}");
  ASSERT_TRUE(events("w", "s-2/1", 1, {step_event(1)}).ok());
  ASSERT_TRUE(ended("w", "s-2/1", "OK").ok());
  ASSERT_TRUE(ended("w", "s-1/1", "INVALID_ARGUMENT", "row 3 has no prompt").ok());
  EXPECT_EQ(state("s-2"), "succeeded: finished");
  EXPECT_EQ(state("s-1"), "failed: row 3 has no prompt");
  EXPECT_EQ(state("next"), "queued: waits for 2 slots of one worker to be free");
  EXPECT_EQ(worker().used_slots(), 2);
  ASSERT_TRUE(ended("w", "s-3/1", "OK").ok());
  EXPECT_EQ(state("next"), "starting: 2 ranks on worker w");
}

TEST_F(BankTest, JobsThatAreNotOfOneSweepHaveTheirOwnGangs) {
  submit("filler");
  submit("one");
  submit("two");
  ASSERT_TRUE(connect("v", 1).ok());
  EXPECT_THAT(heard("v"), ElementsAre("registered", "assign one/1"));
}

TEST_F(BankTest, AJobMayAskForAGangOfItsOwn) {
  submit("filler");
  submit("t", "sweep: {trials: [{}, {resources.bank: never}, {}]}");
  ASSERT_TRUE(connect("v", 1).ok());
  EXPECT_THAT(heard("v"), ElementsAre("registered", "assign t-1/1, t-3/1"));
}

TEST_F(BankTest, OnlyAdaptersShare) {
  submit("filler");
  submit("t", "sweep: {grid: {method: [lora, full, {type: lora, r: 4}, full]}}");
  ASSERT_TRUE(connect("v", 1).ok());
  EXPECT_THAT(heard("v"), ElementsAre("registered", "assign t-1/1, t-3/1"));
  ASSERT_TRUE(ended("v", "t-1/1", "OK").ok());
  ASSERT_TRUE(ended("v", "t-3/1", "OK").ok());
  EXPECT_THAT(heard("v"), ElementsAre("end of t-1/1", "assign t-2/1", "end of t-3/1"));
}

TEST_F(BankTest, WhatDiffersInBaseOrResourcesStaysApart) {
  submit("filler");
  submit("t",
         "sweep: {trials: [{}, {model: /other}, {train.dtype: fp32}, {resources.threads: 2}, "
         "{priority: -1}, {resources.shard_base: true}, {train.learning_rate: 0.5}]}");
  ASSERT_TRUE(connect("v", 1).ok());
  EXPECT_THAT(heard("v"), ElementsAre("registered", "assign t-1/1, t-7/1"));
  EXPECT_EQ(state("t-2"), "queued: waits for 1 slot of one worker to be free");
}

TEST_F(BankTest, IsPreemptedAsAWhole) {
  heard("w");
  submit("urgent", "resources: {ranks: 2}\npriority: 5");
  const std::string why = "preempted by " + job("urgent").id() + " of priority 5";
  EXPECT_THAT(heard("w"),
              testing::UnorderedElementsAre("cancel s-1/1: " + why, "cancel s-2/1: " + why,
                                            "cancel s-3/1: " + why));
  for (const char* attempt : {"s-1/1", "s-2/1"}) {
    ASSERT_TRUE(ended("w", attempt, "CANCELLED", why).ok());
    EXPECT_THAT(state("urgent"), testing::StartsWith("queued")) << "the gang still holds its slots";
  }
  ASSERT_TRUE(ended("w", "s-3/1", "CANCELLED", why).ok());
  EXPECT_EQ(state("urgent"), "starting: 2 ranks on worker w");
  heard("w");
  ASSERT_TRUE(ended("w", "urgent/1", "OK").ok());
  EXPECT_THAT(heard("w"), ElementsAre("assign s-1/2, s-2/2, s-3/2", "end of urgent/1"));
}

TEST_F(BankTest, ACancelIsOfOneJob) {
  heard("w");
  ASSERT_TRUE(coordinator().cancel("s-2").ok());
  EXPECT_THAT(heard("w"), ElementsAre("cancel s-2/1: cancelled by a client"));
  ASSERT_TRUE(ended("w", "s-2/1", "CANCELLED", "cancelled by a client").ok());
  EXPECT_EQ(state("s-2"), "cancelled: cancelled by a client");
  EXPECT_EQ(state("s-1"), "starting: 2 ranks on worker w, shared by 3 jobs");
}

TEST_F(BankTest, ALostWorkersTrialsGoOnTogetherEachFromItsCheckpoint) {
  ASSERT_TRUE(ended("w", "s-1/1", "OK").ok());
  ASSERT_TRUE(upload("s-2/1", 10).ok());
  pass(config_.grace + config_.scheduler.lease);
  ASSERT_TRUE(connect("v", 2).ok());
  EXPECT_THAT(heard("v"), ElementsAre("registered", "assign s-2/2 from step 10, s-3/2"));
  EXPECT_EQ(job("s-3").gang(), job("s-2").id() + "/2");
  EXPECT_EQ(job("s-3").gang_jobs(), 2);
}

TEST_F(BankTest, ATrialThatFailsAloneAndIsTriedAgainJoinsNoGangThatRuns) {
  ASSERT_TRUE(ended("w", "s-2/1", "UNAVAILABLE", "the trial lost its file").ok());
  EXPECT_EQ(state("s-2"), "queued: waits for 2 slots of one worker to be free");
  ASSERT_TRUE(ended("w", "s-1/1", "OK").ok());
  ASSERT_TRUE(ended("w", "s-3/1", "OK").ok());
  EXPECT_EQ(state("s-2"), "starting: 2 ranks on worker w");
}

TEST_F(BankTest, WhenItsGangDiesEachIsTriedAlone) {
  heard("w");
  for (const char* key : {"s-1/1", "s-2/1", "s-3/1"}) {
    ASSERT_TRUE(ended_together("w", key, "INTERNAL", "rank 0 was killed by signal 11").ok());
  }
  EXPECT_THAT(history("s-2").at(2),
              "3 queued: rank 0 was killed by signal 11; queued again for a gang of its own from "
              "the beginning");
  EXPECT_THAT(heard("w"), testing::Contains("assign s-1/2"));
  ASSERT_TRUE(ended("w", "s-1/2", "INTERNAL", "rank 0 was killed by signal 11").ok());
  EXPECT_EQ(state("s-1"), "failed: rank 0 was killed by signal 11");
  EXPECT_THAT(heard("w"), testing::Contains("assign s-2/2"));
  restart();
  ASSERT_TRUE(connect("w", 2, {"s-2/2"}).ok());
  ASSERT_TRUE(ended("w", "s-2/2", "OK").ok());
  EXPECT_THAT(heard("w"), testing::Contains("assign s-3/2"));
}

TEST_F(BankTest, ARestartFindsTheGangAgain) {
  ASSERT_TRUE(events("w", "s-1/1", 1, {step_event(1)}).ok());
  coordinator().tick();
  restart();
  ASSERT_TRUE(connect("w", 3, {"s-1/1", "s-2/1", "s-3/1"}).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered"));
  EXPECT_EQ(worker().used_slots(), 2);
  EXPECT_EQ(worker().gangs(), 1);
}

TEST_F(BankTest, AnAssignmentLostOnItsWayIsSentAgainAsOne) {
  ASSERT_TRUE(coordinator().cancel("s-3").ok());
  restart();
  ASSERT_TRUE(connect("w", 3).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered", "assign s-1/1, s-2/1"));
  EXPECT_EQ(state("s-3"), "cancelled: cancelled by a client");
}

TEST_F(BankTest, AWorkerThatHasForgottenItsGangStartsANewOne) {
  ASSERT_TRUE(events("w", "s-2/1", 1, {step_event(1)}).ok());
  coordinator().tick();
  heard("w");
  ASSERT_TRUE(connect("w", 3).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered", "assign s-1/1, s-3/1"));
  EXPECT_THAT(history("s-2").at(4), HasSubstr("worker w no longer runs attempt 1; retry 1 of 3"));
}

TEST_F(BankTest, AnAssignmentNamesTheGangThatOthersMayJoin) {
  EXPECT_EQ(link("w")->sent.back().assign().gang(), job("s-1").id() + "/1");
  submit("alone");
  ASSERT_TRUE(connect("v", 1).ok());
  EXPECT_EQ(link("v")->sent.back().assign().gang(), "");
}

TEST_F(BankTest, NobodyElsesFilesAreTaken) {
  EXPECT_TRUE(upload("s-2/1", 5).ok());
  ASSERT_TRUE(ended("w", "s-2/1", "OK").ok());
  EXPECT_EQ(upload("s-2/1", 6, "later").code(), Code::kFailedPrecondition);
  EXPECT_TRUE(upload("s-3/1", 6, "later").ok());
}

}  // namespace
}  // namespace prefixmem
