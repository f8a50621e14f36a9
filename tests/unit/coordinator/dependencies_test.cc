// Jobs that come after others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/spec/spec_io.h"
#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

class DependenciesTest : public CoordinatorTest {
 protected:
  void SetUp() override {
    CoordinatorTest::SetUp();
    ASSERT_TRUE(connect("w", 4).ok());
    submit("first");
    heard("w");
  }
  std::string refusal(const std::string& more) {
    return coordinator().submit(spec("b", more), "").status().to_string();
  }
  // Trials s-1 and s-2, one after the other.
  void submit_search() {
    const auto spec = parse_job_spec(
        "name: s\nmodel: /m\ndata: {train: t, eval: e}\ntrain: {max_steps: 9}\nafter: first\n"
        "sweep: {space: {train.seed: [1, 2]}, search: grid, max_concurrent: 1}");
    ASSERT_TRUE(spec.ok()) << spec.status().message();
    ASSERT_TRUE(coordinator().submit(*spec, "").ok());
  }
  std::string named(const std::string& name) { return job(name).id() + " (" + name + ")"; }
};

TEST_F(DependenciesTest, AJobWaitsForAnotherToSucceed) {
  submit("b", "after: [first]");
  submit("c");
  EXPECT_EQ(state("b"), "queued: waits for " + named("first") + " to succeed");
  EXPECT_THAT(heard("w"), ElementsAre("assign c/1")) << "what waits keeps no slots";
  ASSERT_TRUE(ended("w", "first/1", "OK").ok());
  EXPECT_THAT(heard("w"), ElementsAre("assign b/1", "end of first/1"));
  EXPECT_EQ(job("b").spec().after(0), job("first").id()) << "a later job may take the name";
}

TEST_F(DependenciesTest, OfSeveralAllMustSucceed) {
  submit("c");
  submit("b", "after: [first, c, first]");
  heard("w");
  EXPECT_THAT(state("b"), StartsWith("queued: waits for job-"));
  ASSERT_TRUE(ended("w", "first/1", "OK").ok());
  EXPECT_EQ(state("b"), "queued: waits for " + named("c") + " to succeed");
  ASSERT_TRUE(ended("w", "c/1", "OK").ok());
  EXPECT_EQ(state("b"), "starting: 1 rank on worker w");
}

TEST_F(DependenciesTest, MoreThanThreeAreNotAllNamed) {
  for (const char* name : {"c", "d", "e"}) submit(name);
  submit("b", "after: [first, c, d, e]");
  EXPECT_THAT(state("b"), testing::EndsWith(", 1 more to succeed"));
}

TEST_F(DependenciesTest, AFailureCancelsWhatComesAfterAndWhatComesAfterThat) {
  submit("b", "after: first");
  submit("c", "after: b");
  submit("d", "after: [c, first]");
  ASSERT_TRUE(ended("w", "first/1", "INVALID_ARGUMENT", "row 3 has no prompt").ok());
  EXPECT_EQ(state("b"), "cancelled: " + named("first") + ", which it comes after, has failed");
  EXPECT_EQ(state("c"), "cancelled: " + named("b") + ", which it comes after, was cancelled");
  EXPECT_EQ(state("d"), "cancelled: " + named("first") + ", which it comes after, has failed");
  EXPECT_TRUE(job("d").has_end_time());
}

TEST_F(DependenciesTest, ACancelDoesTheSame) {
  submit("b", "after: first");
  ASSERT_TRUE(coordinator().cancel("first").ok());
  EXPECT_THAT(state("b"), StartsWith("queued")) << "it has not ended yet";
  ASSERT_TRUE(ended("w", "first/1", "CANCELLED").ok());
  EXPECT_EQ(state("b"), "cancelled: " + named("first") + ", which it comes after, was cancelled");
}

TEST_F(DependenciesTest, ARetryIsNoEnd) {
  submit("b", "after: first");
  ASSERT_TRUE(ended("w", "first/1", "UNAVAILABLE", "rank 0 is gone").ok());
  EXPECT_THAT(state("b"), StartsWith("queued: waits for"));
}

TEST_F(DependenciesTest, AJobThatHasSucceededIsNotWaitedFor) {
  ASSERT_TRUE(ended("w", "first/1", "OK").ok());
  submit("b", "after: first");
  EXPECT_EQ(state("b"), "starting: 1 rank on worker w");
}

TEST_F(DependenciesTest, WhatCanNeverBeIsRefused) {
  EXPECT_EQ(refusal("after: [first, none]"),
            "NOT_FOUND: after: no job has the id or name \"none\"");
  EXPECT_EQ(refusal("after: b"), "NOT_FOUND: after: no job has the id or name \"b\"")
      << "itself is not there yet, so there are no circles";
  EXPECT_EQ(refusal("after: ['']"),
            "INVALID_ARGUMENT: after: job is empty; allowed: a job's id or name");
  ASSERT_TRUE(ended("w", "first/1", "INTERNAL", "killed by signal 9").ok());
  EXPECT_EQ(refusal("after: first"),
            "FAILED_PRECONDITION: after: job " + named("first") + " has failed");
  EXPECT_EQ(coordinator().reader().list({}, 10)->jobs.size(), 1u) << "nothing is stored";
}

TEST_F(DependenciesTest, OutliveTheCoordinator) {
  submit("b", "after: first");
  submit("c", "after: b");
  restart();
  ASSERT_TRUE(connect("w", 4, {"first/1"}).ok());
  EXPECT_THAT(heard("w"), ElementsAre("registered"));
  EXPECT_EQ(state("b"), "queued: waits for " + named("first") + " to succeed");
  ASSERT_TRUE(ended("w", "first/1", "OK").ok());
  EXPECT_THAT(heard("w"), ElementsAre("assign b/1", "end of first/1"));
  ASSERT_TRUE(ended("w", "b/1", "UNAVAILABLE", "rank 0 is gone").ok());
  restart();
  coordinator().tick();
  EXPECT_THAT(state("c"), StartsWith("queued: waits for"));
  ASSERT_TRUE(connect("w", 4).ok());
  EXPECT_THAT(state("b"), StartsWith("starting")) << "it waits for nothing more";
}

TEST_F(DependenciesTest, AreThoseOfEveryTrialOfASweep) {
  submit("s", "after: first\nsweep: {grid: {train.seed: [1, 2]}}");
  EXPECT_EQ(state("s-1"), "queued: waits for " + named("first") + " to succeed");
  ASSERT_TRUE(ended("w", "first/1", "OK").ok());
  for (const char* trial : {"s-1", "s-2"}) EXPECT_THAT(state(trial), StartsWith("starting"));
}

TEST_F(DependenciesTest, OfASearchAreThoseOfTrialsThatBeginLater) {
  submit_search();
  submit("first");  // the name stands for two jobs now
  EXPECT_THAT(state("s-1"), StartsWith("queued: waits for"));
  const std::string id = job("s-1").spec().after(0);
  v1::WorkerMessage end;
  end.mutable_ended()->mutable_id()->set_job_id(id);
  end.mutable_ended()->mutable_id()->set_attempt(1);
  end.mutable_ended()->set_code("OK");
  ASSERT_TRUE(receive("w", end).ok());
  ASSERT_TRUE(ended("w", "s-1/1", "OK").ok());
  coordinator().tick();
  EXPECT_EQ(job("s-2").spec().after(0), id);
  EXPECT_THAT(state("s-2"), StartsWith("starting"));
}

TEST_F(DependenciesTest, ItsFailureEndsATrialThatBeginsAfterIt) {
  submit_search();
  ASSERT_TRUE(ended("w", "first/1", "INTERNAL", "killed by signal 9").ok());
  for (int i = 0; i < 4; ++i) coordinator().tick();
  for (const char* trial : {"s-1", "s-2"}) {
    EXPECT_EQ(state(trial), "cancelled: " + named("first") + ", which it comes after, has failed");
  }
}

TEST_F(DependenciesTest, TheQueueIsWithoutThem) {
  submit("b", "after: first");
  EXPECT_EQ(coordinator().overview().dependents, 1);
  clock_.advance(std::chrono::hours(1));
  EXPECT_EQ(coordinator().overview().oldest_queued_seconds, 0);
  ASSERT_TRUE(ended("w", "first/1", "OK").ok());
  EXPECT_EQ(coordinator().overview().dependents, 0);
}

}  // namespace
}  // namespace prefixmem
