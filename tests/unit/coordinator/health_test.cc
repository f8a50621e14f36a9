// Workers that say that they are unhealthy, and jobs that find a worker's disk full.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kWhy = "its disk has less than 64 MiB free (--min-free-disk)";
constexpr const char* kFull = "writing checkpoints/7: No space left on device";

// Job "a" runs on worker "w", the only one.
class HealthTest : public CoordinatorTest {
 protected:
  void SetUp() override {
    CoordinatorTest::SetUp();
    run_a();
  }
  void tell(const std::string& unhealthy, const std::vector<std::string>& running = {"a/1"}) {
    ASSERT_TRUE(heartbeat("w", running, /*draining=*/false, unhealthy).ok());
    coordinator().tick();
  }
  v1::Worker shown() { return coordinator().workers().at(0); }
};

TEST_F(HealthTest, WhatRunsThereGoesOnAndNothingIsPlacedThereUntilItIsWell) {
  tell(kWhy);
  EXPECT_EQ(shown().state(), "unhealthy");
  EXPECT_EQ(shown().unhealthy(), kWhy);
  EXPECT_THAT(heard("w"), IsEmpty());
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  EXPECT_EQ(state("a"), "succeeded: finished");
  submit("b");
  EXPECT_EQ(state("b"), "queued: every worker that it fits is unhealthy (w)");
  heard("w");
  tell("", {});
  EXPECT_EQ(shown().state(), "connected");
  EXPECT_EQ(shown().unhealthy(), "");
  EXPECT_THAT(heard("w"), ElementsAre("assign b/1"));
}

TEST_F(HealthTest, OneThatRegistersUnhealthyIsGivenNothing) {
  unhealthy_["x"] = kWhy;
  ASSERT_TRUE(connect("x", 4).ok());
  submit("b", "resources: {ranks: 2}");
  EXPECT_EQ(state("b"), "queued: every worker that it fits is unhealthy (x)");
  unhealthy_.clear();
  ASSERT_TRUE(connect("x", 4).ok());
  EXPECT_EQ(state("b"), "starting: 2 ranks on worker x");
}

TEST_F(HealthTest, ItIsKnownBeforeTheEndThatItCauses) {
  tell(kWhy);
  ASSERT_TRUE(ended("w", "a/1", "RESOURCE_EXHAUSTED", kFull).ok());
  EXPECT_EQ(state("a"), "queued: every worker that it fits is unhealthy (w)");
  EXPECT_EQ(history("a").at(4),
            "5 queued: " + std::string(kFull) + "; retry 1 of 3 from the beginning");
  ASSERT_TRUE(connect("x", 1).ok());
  EXPECT_THAT(heard("x"), ElementsAre("registered", "assign a/2"));
}

TEST_F(HealthTest, WhereItsDiskWasFullAJobGoesOnOnlyIfNobodyElseTakesIt) {
  ASSERT_TRUE(connect("x", 4).ok());
  heard("x");
  ASSERT_TRUE(ended("w", "a/1", "RESOURCE_EXHAUSTED", kFull).ok());
  EXPECT_THAT(heard("x"), ElementsAre("assign a/2")) << "though w would be the fuller one";
  ASSERT_TRUE(ended("x", "a/2", "RESOURCE_EXHAUSTED", kFull).ok());
  EXPECT_EQ(state("a"), "starting: 1 rank on worker w");
  submit("wide", "resources: {ranks: 4}");
  ASSERT_TRUE(ended("w", "a/3", "RESOURCE_EXHAUSTED", kFull).ok());
  EXPECT_EQ(state("a"), "starting: 1 rank on worker w") << "x is full";
}

TEST_F(HealthTest, ALostWorkersHealthIsNotKnown) {
  tell(kWhy);
  disconnect("w");
  EXPECT_EQ(shown().state(), "disconnected");
  EXPECT_EQ(shown().unhealthy(), "");
}

TEST_F(HealthTest, AFullDiskIsTriedAgainNoMoreOftenThanALostWorker) {
  for (int attempt = 1; attempt <= 4; ++attempt) {
    const std::string key = "a/" + std::to_string(attempt);
    ASSERT_TRUE(ended("w", key, "RESOURCE_EXHAUSTED", kFull).ok());
  }
  EXPECT_EQ(state("a"), "failed: " + std::string(kFull) + "; given up after 3 retries");
}

TEST_F(HealthTest, ACordonOrALeaveIsShownFirst) {
  tell(kWhy);
  ASSERT_TRUE(coordinator().cordon("w").ok());
  EXPECT_EQ(shown().state(), "cordoned");
  ASSERT_TRUE(heartbeat("w", {"a/1"}, /*draining=*/true, kWhy).ok());
  EXPECT_EQ(shown().state(), "draining");
  EXPECT_EQ(shown().unhealthy(), kWhy);
}

TEST_F(HealthTest, AWorkerMayNotTalkWithoutEnd) {
  tell(std::string(10'000, 'x'));
  EXPECT_EQ(shown().state(), "unhealthy");
  EXPECT_LT(shown().unhealthy().size(), 600U);
}

}  // namespace
}  // namespace prefixmem
