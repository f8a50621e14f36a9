#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/proto/timestamps.h"
#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class CancelTest : public CoordinatorTest {
 protected:
  v1::JobState cancel(const std::string& name) {
    const auto after = coordinator().cancel(name);
    EXPECT_TRUE(after.ok()) << after.status().message();
    return after.ok() ? after->state() : v1::JOB_STATE_UNSPECIFIED;
  }
};

TEST_F(CancelTest, AQueuedJobEndsAtOnce) {
  submit("a");
  EXPECT_EQ(cancel("a"), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(state("a"), "cancelled: cancelled by a client");
  EXPECT_TRUE(job("a").has_end_time());
  ASSERT_TRUE(connect("w", 1).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered"));
}

TEST_F(CancelTest, AQueuedJobMakesRoomForThoseBehind) {
  ASSERT_TRUE(connect("w", 2).ok());
  submit("runs");
  submit("wide", "resources: {ranks: 2}");
  submit("narrow");
  EXPECT_EQ(state("narrow"), "queued: waits behind earlier jobs");
  heard("w");
  cancel("wide");
  EXPECT_THAT(heard("w"), ElementsAre("assign narrow/1"));
}

TEST_F(CancelTest, ARunningJobIsStoppedByItsWorker) {
  run_a();
  EXPECT_EQ(cancel("a"), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(state("a"), "running: cancel asked for; worker w stops it");
  EXPECT_THAT(heard("w"), ElementsAre("cancel a/1: cancelled by a client"));
  EXPECT_EQ(cancel("a"), v1::JOB_STATE_RUNNING);
  EXPECT_THAT(heard("w"), IsEmpty());
  ASSERT_TRUE(ended("w", "a/1", "CANCELLED", "stopped").ok());
  EXPECT_EQ(state("a"), "cancelled: cancelled by a client");
  EXPECT_EQ(job("a").failure_code(), "");
}

TEST_F(CancelTest, AStartingJobStaysOneThatIsBeingCancelled) {
  ASSERT_TRUE(connect("w", 1).ok());
  submit("a");
  EXPECT_EQ(cancel("a"), v1::JOB_STATE_STARTING);
  ASSERT_TRUE(events("w", "a/1", 1, {phase_event("loading")}).ok());
  coordinator().tick();
  EXPECT_EQ(state("a"), "running: cancel asked for; worker w stops it");
}

TEST_F(CancelTest, WhatFinishesFirstHasSucceeded) {
  run_a();
  cancel("a");
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  EXPECT_EQ(state("a"), "succeeded: finished");
}

TEST_F(CancelTest, WhatBreaksMeanwhileIsCancelled) {
  run_a();
  cancel("a");
  ASSERT_TRUE(ended("w", "a/1", "INTERNAL", "rank 0 was killed by signal 9", "tail").ok());
  EXPECT_EQ(state("a"), "cancelled: cancelled by a client");
  EXPECT_EQ(job("a").stderr_tail(), "");
}

TEST_F(CancelTest, AJobLostMeanwhileIsNotTriedAgain) {
  run_a();
  cancel("a");
  pass(config_.scheduler.lease + Millis(100) + config_.grace);
  EXPECT_EQ(state("a"), "cancelled: cancelled by a client");
}

TEST_F(CancelTest, AWorkerThatIsAwayHearsOfItWhenItComesBack) {
  run_a();
  disconnect("w");
  cancel("a");
  ASSERT_TRUE(connect("w", 1, {"a/1"}).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered", "cancel a/1: cancelled by a client"));
}

TEST_F(CancelTest, AnAssignmentThatWasNeverHeardOfIsNotSentAgain) {
  ASSERT_TRUE(connect("w", 1).ok());
  submit("a");
  disconnect("w");
  cancel("a");
  ASSERT_TRUE(connect("w", 1).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered"));
  EXPECT_EQ(state("a"), "cancelled: cancelled by a client");
}

TEST_F(CancelTest, AnEndedJobStaysAsItIs) {
  run_a();
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  const std::string id = job("a").id();
  EXPECT_EQ(coordinator().cancel(id).status().to_string(),
            "FAILED_PRECONDITION: job " + id + " (a) has already ended: succeeded");
  EXPECT_EQ(state("a"), "succeeded: finished");
}

TEST_F(CancelTest, AJobIsNamedByItsIdOrAUniqueName) {
  EXPECT_EQ(coordinator().cancel("").status().to_string(),
            "INVALID_ARGUMENT: job is empty; allowed: a job's id or name");
  EXPECT_EQ(coordinator().cancel("nobody").status().to_string(),
            "NOT_FOUND: no job has the id or name \"nobody\"");
  std::vector<std::string> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(coordinator().submit(spec("same"), "")->jobs(0).id());
  cancel(ids[2]);
  const std::string when = utc_text(from_timestamp(job(ids[0]).create_time()));
  EXPECT_EQ(coordinator().cancel("same").status().to_string(),
            "FAILED_PRECONDITION: several jobs are named same, the newest first: " + ids[3] +
                " (queued, submitted " + when + "), " + ids[2] + " (cancelled, submitted " + when +
                "), " + ids[1] + " (queued, submitted " + when + "), …; give an id");
  EXPECT_EQ(cancel(ids[1]), v1::JOB_STATE_CANCELLED);
}

}  // namespace
}  // namespace prefixmem
