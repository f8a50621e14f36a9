// A store that does not take a write: nothing is promised any more.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

// Job "a" is assigned to worker "w"; then the disk is full.
class StoreFailureTest : public CoordinatorTest {
 protected:
  void SetUp() override {
    CoordinatorTest::SetUp();
    ASSERT_TRUE(connect("w", 2).ok());
    submit("a");
    heard("w");
    auto other = store::Database::open(database());
    ASSERT_TRUE(other.ok());
    ASSERT_TRUE(other
                    ->execute("CREATE TRIGGER full BEFORE INSERT ON events BEGIN"
                              " SELECT RAISE(ABORT, 'disk is full'); END")
                    .ok());
    const std::string why =
        "the store does not take a write: store " + database().string() + ": disk is full";
    failure_ = "INTERNAL: " + why;
    refusal_ = "UNAVAILABLE: " + why;
  }
  std::string failure_;  // that the owner hears
  std::string refusal_;  // that those hear who ask
};

TEST_F(StoreFailureTest, NothingIsAcknowledged) {
  ASSERT_TRUE(events("w", "a/1", 1, {step_event(1)}).ok());
  coordinator().tick();
  EXPECT_THAT(heard("w"), IsEmpty());
  ASSERT_THAT(store_failures_, SizeIs(1));
  EXPECT_EQ(store_failures_[0].to_string(), failure_);
}

TEST_F(StoreFailureTest, ASubmissionIsRefusedAndPlacedNowhere) {
  EXPECT_EQ(coordinator().submit(spec("b"), "key").status().to_string(), refusal_);
  EXPECT_EQ(store_failures_.size(), 1u);
  EXPECT_EQ(coordinator().reader().list({}, 10)->jobs.size(), 1u);
  EXPECT_THAT(heard("w"), IsEmpty());
}

TEST_F(StoreFailureTest, ThenEveryChangeIsRefusedAndTheOwnerIsToldOnce) {
  EXPECT_EQ(coordinator().cancel("a").status().to_string(), refusal_);
  EXPECT_EQ(coordinator().submit(spec("b"), "").status().to_string(), refusal_);
  EXPECT_EQ(coordinator().cancel("a").status().to_string(), refusal_);
  EXPECT_EQ(heartbeat("w").to_string(), refusal_);
  EXPECT_EQ(ended("w", "a/1", "OK").to_string(), refusal_);
  EXPECT_EQ(connect("v", 1).to_string(), refusal_);
  EXPECT_EQ(upload("a/1", 1).to_string(), refusal_);
  pass(config_.grace + config_.scheduler.lease + Millis(1000));
  EXPECT_EQ(store_failures_.size(), 1u);
  EXPECT_THAT(heard("w"), IsEmpty());
}

TEST_F(StoreFailureTest, WhatIsDurableIsStillReadAndIsWhatTheNextProcessGoesOnFrom) {
  EXPECT_FALSE(ended("w", "a/1", "OK").ok());
  EXPECT_EQ(state("a"), "starting: 1 rank on worker w");
  EXPECT_EQ(coordinator().workers().size(), 1u);
  {
    auto other = store::Database::open(database());
    ASSERT_TRUE(other.ok());
    ASSERT_TRUE(other->execute("DROP TRIGGER full").ok());
  }
  restart();
  ASSERT_TRUE(connect("w", 2, {"a/1"}).ok());
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  EXPECT_EQ(state("a"), "succeeded: finished");
}

}  // namespace
}  // namespace prefixmem
