// A stream that breaks and is dialled again, and what a worker may register as.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Job "a" runs on worker "w", job "b" has been assigned to it and not been heard of.
class ReconnectTest : public CoordinatorTest {
 protected:
  void SetUp() override {
    CoordinatorTest::SetUp();
    ASSERT_TRUE(connect("w", 2).ok());
    submit("a");
    submit("b");
    ASSERT_TRUE(events("w", "a/1", 1, {step_event(1)}).ok());
    coordinator().tick();
    heard("w");
  }
};

TEST_F(ReconnectTest, WhatRunsGoesOn) {
  disconnect("w");
  ASSERT_TRUE(connect("w", 2, {"a/1", "b/1"}).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered"));
  ASSERT_TRUE(events("w", "a/1", 2, {step_event(2)}).ok());
  ASSERT_TRUE(events("w", "b/1", 1, {step_event(1)}).ok());
  coordinator().tick();
  EXPECT_EQ(state("a"), "running: attempt 1 on worker w");
  EXPECT_EQ(state("b"), "running: attempt 1 on worker w");
}

TEST_F(ReconnectTest, AnAssignmentLostOnItsWayIsSentAgain) {
  disconnect("w");
  ASSERT_TRUE(connect("w", 2, {"a/1"}).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered", "assign b/1"));
  EXPECT_EQ(state("b"), "starting: 1 rank on worker w");
}

TEST_F(ReconnectTest, AnAssignmentSentAgainNamesTheCheckpointAgain) {
  ASSERT_TRUE(upload("a/1", 10).ok());
  ASSERT_TRUE(ended("w", "a/1", "UNAVAILABLE", "rank 0 is gone").ok());
  disconnect("w");
  ASSERT_TRUE(connect("w", 2, {"b/1"}).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered", "assign a/2 from step 10"));
}

TEST_F(ReconnectTest, WhatHadBegunAndIsGoneIsTriedAgain) {
  disconnect("w");
  ASSERT_TRUE(connect("w", 2, {"b/1"}).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered", "assign a/2"));
  EXPECT_THAT(history("a").at(4),
              "5 queued: worker w no longer runs attempt 1; retry 1 of 3 from the beginning");
}

TEST_F(ReconnectTest, WhatIsNotCurrentIsToBeKilled) {
  disconnect("w");
  ASSERT_TRUE(connect("w", 2, {"a/1", "b/1", "b/3"}).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered, stale b/3"));
}

TEST_F(ReconnectTest, ANewLinkClosesTheOldOneWhoseMessagesAreDropped) {
  const auto old = link("w");
  ASSERT_TRUE(connect("w", 2, {"a/1", "b/1"}).ok());
  EXPECT_EQ(old->closed.to_string(), "FAILED_PRECONDITION: worker w has dialled again");
  v1::WorkerMessage late;
  *late.mutable_ended()->mutable_id() = attempt("a/1");
  late.mutable_ended()->set_code("OK");
  EXPECT_TRUE(coordinator().receive("w", old.get(), late).ok());
  EXPECT_EQ(state("a"), "running: attempt 1 on worker w");
  coordinator().disconnect("w", old.get());
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  EXPECT_EQ(state("a"), "succeeded: finished");
}

TEST_F(ReconnectTest, NothingIsPlacedOnAWorkerThatIsAway) {
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  disconnect("w");
  submit("c");
  EXPECT_EQ(state("c"), "queued: waits for a worker to reconnect");
  ASSERT_TRUE(connect("w", 2, {"b/1"}).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered", "assign c/1"));
}

TEST_F(ReconnectTest, TheLeaseGoesOnOverAShortBreak) {
  pass(config_.grace - Millis(1000));
  ASSERT_TRUE(heartbeat("w").ok());
  disconnect("w");
  pass(config_.scheduler.lease);
  ASSERT_TRUE(connect("w", 2, {"a/1", "b/1"}).ok());
  EXPECT_EQ(state("a"), "running: attempt 1 on worker w");
}

TEST_F(ReconnectTest, AWorkerLearnsTheLease) {
  config_.scheduler.lease = Millis(7500);
  config_.heartbeat = Millis(2500);
  restart();
  ASSERT_TRUE(connect("v", 1).ok());
  const v1::Registered& registered = link("v")->sent.front().registered();
  EXPECT_EQ(registered.lease_seconds(), 7.5);
  EXPECT_EQ(registered.heartbeat_seconds(), 2.5);
}

TEST_F(ReconnectTest, ABadRegistrationIsRefusedAndLeavesNothing) {
  const auto refusal = [&](const std::string& id, int slots, const std::string& device) {
    const Status status = connect(id, slots, {}, device);
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    return status.message();
  };
  const std::string ids = "; allowed: 1 to 128 letters, digits, '.', '_' and '-'";
  EXPECT_EQ(refusal("", 1, "cpu"), "register.worker_id is \"\"" + ids);
  EXPECT_EQ(refusal("a b", 1, "cpu"), "register.worker_id is \"a b\"" + ids);
  EXPECT_THAT(refusal(std::string(129, 'x'), 1, "cpu"), HasSubstr(ids));
  EXPECT_EQ(refusal("v", 0, "cpu"), "register.slots is 0; allowed: a number from 1 to 4096");
  EXPECT_EQ(refusal("v", 5000, "cpu"), "register.slots is 5000; allowed: a number from 1 to 4096");
  allocations_["v"] = "slurm 7";
  EXPECT_EQ(
      refusal("v", 1, "cpu"),
      "register.allocation is \"slurm 7\"; allowed: at most 128 letters, digits, '.', '_', '-' "
      "and ':'");
  allocations_["v"] = "slurm:7";
  EXPECT_EQ(refusal("v", 1, "auto"), "register.device is \"auto\"; allowed: cpu or cuda");
  EXPECT_EQ(coordinator().workers().size(), 1u);
}

TEST_F(ReconnectTest, AMessageOfAWorkerThatNeverRegisteredIsDropped) {
  FakeLink stranger;
  v1::WorkerMessage message;
  message.mutable_heartbeat();
  EXPECT_TRUE(coordinator().receive("stranger", &stranger, message).ok());
  EXPECT_THAT(stranger.sent, IsEmpty());
  EXPECT_EQ(coordinator().workers().size(), 1u);
}

}  // namespace
}  // namespace prefixmem
