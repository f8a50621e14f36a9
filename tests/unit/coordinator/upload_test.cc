// Which files of a job are taken.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/proto/timestamps.h"
#include "tests/unit/coordinator/service.h"

namespace prefixmem {
namespace {

// Job "a" is assigned to worker "w".
class UploadTest : public CoordinatorTest {
 protected:
  void SetUp() override {
    CoordinatorTest::SetUp();
    ASSERT_TRUE(connect("w", 1).ok());
    submit("a");
  }
  size_t listed() { return coordinator().reader().artifacts(job("a").id())->size(); }
};

TEST_F(UploadTest, TheCurrentAttemptsFileIsListedWithAttemptAndTime) {
  EXPECT_TRUE(coordinator().may_upload(attempt("a/1"), checkpoint(10)).ok());
  const auto listed = coordinator().add_artifact(attempt("a/1"), checkpoint(10));
  ASSERT_TRUE(listed.ok()) << listed.status().message();
  EXPECT_EQ(listed->attempt(), 1);
  EXPECT_EQ(from_timestamp(listed->create_time()), clock_.wall());
  const auto all = *coordinator().reader().artifacts(job("a").id());
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].SerializeAsString(), listed->SerializeAsString());
}

TEST_F(UploadTest, TheSameFileAgainKeepsItsFirstTime) {
  const auto first = coordinator().add_artifact(attempt("a/1"), checkpoint(10));
  ASSERT_TRUE(first.ok());
  clock_.advance(Millis(5000));
  const auto again = coordinator().add_artifact(attempt("a/1"), checkpoint(10));
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(again->SerializeAsString(), first->SerializeAsString());
  EXPECT_EQ(listed(), 1u);
}

TEST_F(UploadTest, AnAttemptThatIsNotCurrentIsRefused) {
  ASSERT_TRUE(ended("w", "a/1", "UNAVAILABLE", "rank 0 is gone").ok());
  const std::string refusal =
      "FAILED_PRECONDITION: attempt 1 of " + job("a").id() + " is not current: attempt 2 is";
  EXPECT_EQ(coordinator().may_upload(attempt("a/1"), checkpoint(10)).to_string(), refusal);
  EXPECT_EQ(upload("a/1", 10).to_string(), refusal);
  EXPECT_EQ(listed(), 0u);
  EXPECT_TRUE(upload("a/2", 10).ok());
}

TEST_F(UploadTest, WhatTheStoreHasMayComeAgainAfterTheEnd) {
  ASSERT_TRUE(upload("a/1", 10).ok());
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  EXPECT_TRUE(coordinator().may_upload(attempt("a/1"), checkpoint(10)).ok());
  EXPECT_TRUE(upload("a/1", 10).ok());
  EXPECT_EQ(upload("a/1", 10, "other content").to_string(),
            "FAILED_PRECONDITION: attempt 1 of " + job("a").id() +
                " is not current: no attempt of the job is placed");
}

TEST_F(UploadTest, TheNewestTwoCheckpointsStayAndOneOfASuccess) {
  for (const int64_t step : {10, 20, 30}) {
    ASSERT_TRUE(upload("a/1", step, "of step " + std::to_string(step)).ok());
  }
  EXPECT_EQ(listed(), 2u);
  EXPECT_EQ((*coordinator().reader().newest_checkpoint(job("a").id()))->step(), 30);
  ASSERT_TRUE(ended("w", "a/1", "OK").ok());
  EXPECT_EQ(listed(), 1u);
  EXPECT_EQ((*coordinator().reader().newest_checkpoint(job("a").id()))->step(), 30);
}

TEST_F(UploadTest, OneThatComesLateAgainTakesNoNewerOnesPlace) {
  for (const int64_t step : {10, 20, 10}) {
    v1::Artifact metrics = checkpoint(step, "of " + std::to_string(step) + " steps");
    metrics.set_kind("metrics");
    metrics.set_path("metrics.jsonl");
    ASSERT_TRUE(coordinator().add_artifact(attempt("a/1"), metrics).ok());
  }
  EXPECT_EQ(listed(), 1u);
  EXPECT_EQ((*coordinator().reader().newest_version(job("a").id(), "metrics.jsonl"))->step(), 20);
}

TEST_F(UploadTest, OfAJobThatFailedTwoStay) {
  for (const int64_t step : {10, 20}) {
    ASSERT_TRUE(upload("a/1", step, "of step " + std::to_string(step)).ok());
  }
  ASSERT_TRUE(ended("w", "a/1", "INTERNAL", "killed by signal 9").ok());
  EXPECT_EQ(listed(), 2u);
}

TEST_F(UploadTest, AJobThatIsNotThereIsRefused) {
  v1::AttemptId id;
  id.set_job_id("job-x");
  id.set_attempt(1);
  EXPECT_EQ(coordinator().may_upload(id, checkpoint(1)).code(), Code::kFailedPrecondition);
  EXPECT_EQ(coordinator().add_artifact(id, checkpoint(1)).status().code(),
            Code::kFailedPrecondition);
}

}  // namespace
}  // namespace prefixmem
