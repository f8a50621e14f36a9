// A job of higher priority takes the slots of one that runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Job "a" runs on worker "w" of one slot; no retry is allowed.
class PreemptionTest : public CoordinatorTest {
 protected:
  void SetUp() override {
    config_.scheduler.max_retries = 0;
    CoordinatorTest::SetUp();
    run_a();
  }
  void submit_urgent() {
    submit("urgent", "priority: 5");
    why_ = "preempted by " + job("urgent").id() + " of priority 5";
  }
  void leave() { ASSERT_TRUE(ended("w", "a/1", "CANCELLED", why_).ok()); }

  std::string why_;
};

TEST_F(PreemptionTest, BothJobsTell) {
  submit_urgent();
  EXPECT_EQ(state("urgent"),
            "queued: " + job("a").id() + " of lower priority is asked to leave worker w");
  EXPECT_EQ(state("a"), "running: " + why_ + "; worker w stops it");
  EXPECT_EQ(link("w")->sent.at(0).cancel().grace_seconds(), 30);
  EXPECT_THAT(heard("w"), ElementsAre("cancel a/1: " + why_));
  submit("c");
  EXPECT_THAT(heard("w"), IsEmpty()) << "nobody is asked twice";
  EXPECT_EQ(state("urgent"), "queued: waits for 1 slot of worker w, which is being left");
  EXPECT_EQ(state("c"), "queued: waits behind earlier jobs");
  ASSERT_TRUE(upload("a/1", 10).ok());
  leave();
  EXPECT_THAT(heard("w"), ElementsAre("assign urgent/1", "end of a/1"));
  EXPECT_THAT(history("a").at(5),
              "6 queued: " + why_ + "; queued again from the checkpoint of step 10");
}

TEST_F(PreemptionTest, TheOtherGoesOnFromItsCheckpointAndCountsNoRetry) {
  submit_urgent();
  ASSERT_TRUE(upload("a/1", 10).ok());
  leave();
  EXPECT_EQ(state("a"), "queued: waits for 1 slot of one worker to be free");
  EXPECT_EQ(coordinator().reader().unfinished_jobs()->at(0).retries, 0);
  heard("w");
  ASSERT_TRUE(ended("w", "urgent/1", "OK").ok());
  EXPECT_THAT(heard("w"), ElementsAre("assign a/2 from step 10", "end of urgent/1"));
  ASSERT_TRUE(ended("w", "a/2", "INTERNAL", "killed by signal 9").ok());
  EXPECT_EQ(state("a"), "failed: killed by signal 9") << "it is not on its way out any more";
}

TEST_F(PreemptionTest, OutlivesTheCoordinator) {
  submit_urgent();
  restart();
  ASSERT_TRUE(connect("w", 1, {"a/1"}).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered", "cancel a/1: " + why_));
  leave();
  EXPECT_EQ(state("urgent"), "starting: 1 rank on worker w");
}

TEST_F(PreemptionTest, WhereTheUrgentOneIsGoneTheOtherComesBack) {
  submit_urgent();
  ASSERT_TRUE(coordinator().cancel("urgent").ok());
  heard("w");
  leave();
  EXPECT_THAT(heard("w"), ElementsAre("assign a/2", "end of a/1"));
}

TEST_F(PreemptionTest, AJobThatFinishesMeanwhileHasSucceeded) {
  submit_urgent();
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  EXPECT_EQ(state("a"), "succeeded: finished");
  EXPECT_EQ(state("urgent"), "starting: 1 rank on worker w");
}

TEST_F(PreemptionTest, EqualOrLowerPriorityDisturbsNobody) {
  submit("equal");
  submit("lower", "priority: -1");
  EXPECT_EQ(state("a"), "running: attempt 1 on worker w");
  EXPECT_THAT(heard("w"), IsEmpty());
}

TEST_F(PreemptionTest, ALimitedJobRunsAheadOfOneThatWaits) {
  ASSERT_TRUE(connect("v", 2).ok());
  submit("long", "resources: {time_limit: 1h}");
  submit("wide", "resources: {ranks: 2}");
  submit("short", "resources: {time_limit: 10m}");
  EXPECT_EQ(state("wide"), "queued: waits for 2 slots of one worker to be free");
  EXPECT_EQ(state("short"), "starting: 1 rank on worker v, ahead of " + job("wide").id() +
                                ", which it does not delay");
  clock_.advance(std::chrono::minutes(55));
  ASSERT_TRUE(ended("v", "short/1", "OK").ok());
  submit("late", "resources: {time_limit: 10m}");
  EXPECT_EQ(state("late"), "queued: waits for 1 slot of one worker to be free");
}

}  // namespace
}  // namespace prefixmem
