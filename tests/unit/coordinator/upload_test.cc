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

// As where the worker was cut off between the two: the next attempt resumes from that checkpoint
// and tells nothing of it.
TEST_F(UploadTest, ACheckpointsDigestIsTheJobsThoughItsEventIsLost) {
  ASSERT_TRUE(coordinator().add_artifact(attempt("a/1"), checkpoint(10), "c0ffee").ok());
  ASSERT_TRUE(ended("w", "a/1", "UNAVAILABLE", "rank 0 is gone").ok());
  ASSERT_TRUE(ended("w", "a/2", "OK").ok());
  restart();
  EXPECT_EQ(job("a").progress().state_digest(), "c0ffee");
  EXPECT_EQ(job("a").progress().state_step(), 10);
}

// Its worker gave up waiting for an answer, sent it again and went on.
TEST_F(UploadTest, ACheckpointThatComesLateDoesNotBringItsDigest) {
  const auto bring = [&](const std::string& key, int64_t step, const std::string& digest) {
    return coordinator().add_artifact(attempt(key), checkpoint(step), digest).ok();
  };
  for (const int64_t step : {10, 20, 30}) {
    ASSERT_TRUE(bring("a/1", step, "after " + std::to_string(step)));
  }
  restart();
  ASSERT_TRUE(connect("w", 1, {"a/1"}).ok());
  ASSERT_TRUE(bring("a/1", 10, "after 10"));
  EXPECT_EQ(job("a").progress().state_digest(), "after 30");
  // An attempt that could not read the newest; the one after it goes on from that again.
  ASSERT_TRUE(ended("w", "a/1", "UNAVAILABLE", "rank 0 is gone").ok());
  ASSERT_TRUE(bring("a/2", 20, "20 anew"));
  EXPECT_EQ(job("a").progress().state_digest(), "after 30");
  ASSERT_TRUE(bring("a/2", 30, "30 anew"));
  EXPECT_EQ(job("a").progress().state_digest(), "30 anew");
  EXPECT_EQ(job("a").progress().state_step(), 30);
}

// It was stored by a coordinator of an older version, which did not know of digests.
TEST_F(UploadTest, WhatTheStoreHasMayStillBringItsDigest) {
  ASSERT_TRUE(upload("a/1", 10).ok());
  EXPECT_EQ(job("a").progress().state_digest(), "");
  ASSERT_TRUE(coordinator().add_artifact(attempt("a/1"), checkpoint(10), "c0ffee").ok());
  EXPECT_EQ(job("a").progress().state_digest(), "c0ffee");
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

TEST_F(UploadTest, AsManyCheckpointsStayAsTheSpecAsksForAlsoOfASuccess) {
  ASSERT_TRUE(connect("x", 1).ok());
  JobSpec three = spec("b");
  three.train.keep_checkpoints = 3;
  ASSERT_TRUE(coordinator().submit(three, "").ok());
  const std::string id = job("b").id();
  for (const int64_t step : {10, 20, 30, 40}) {
    ASSERT_TRUE(upload("b/1", step, "of step " + std::to_string(step)).ok());
  }
  EXPECT_EQ(coordinator().reader().artifacts(id)->size(), 3u);
  ASSERT_TRUE(ended("x", "b/1", "OK").ok());
  EXPECT_EQ(coordinator().reader().artifacts(id)->size(), 3u);
}

TEST_F(UploadTest, ABestAdapterGivesWayOnceAllFilesOfABetterOneHaveCome) {
  JobSpec best = spec("best");
  best.train.keep_best = true;
  best.train.eval_every = 10;
  ASSERT_TRUE(connect("x", 1).ok());
  ASSERT_TRUE(coordinator().submit(best, "").ok());
  const auto bring = [this](int64_t step, const std::string& name) {
    v1::Artifact file = checkpoint(step, name + " of step " + std::to_string(step));
    file.set_kind("best_adapter");
    file.set_path("best_adapter/step-" + std::to_string(step) + "/" + name);
    ASSERT_TRUE(coordinator().add_artifact(attempt("best/1"), file).ok());
  };
  const auto complete = [this](int64_t number, int64_t step) {
    v1::TrainerEvent event;
    event.mutable_artifact()->set_kind("best_adapter");
    event.mutable_artifact()->set_step(step);
    ASSERT_TRUE(events("x", "best/1", number, {event}).ok());
    coordinator().tick();
  };
  const auto paths = [this] {
    std::vector<std::string> paths;
    const auto all = *coordinator().reader().artifacts(job("best").id());
    for (const v1::Artifact& file : all) paths.push_back(file.path());
    return paths;
  };
  ASSERT_TRUE(upload("best/1", 10).ok());
  bring(10, "config");
  bring(10, "weights");
  complete(1, 10);
  bring(20, "config");
  EXPECT_THAT(paths(), testing::IsSupersetOf(
                           {"best_adapter/step-10/config", "best_adapter/step-10/weights"}))
      << "the newer one is not whole";
  bring(20, "weights");
  complete(2, 20);
  const auto only_of_20 = testing::UnorderedElementsAre(testing::_, "best_adapter/step-20/config",
                                                        "best_adapter/step-20/weights");
  EXPECT_THAT(paths(), only_of_20) << "and the checkpoint stays";
  bring(30, "config");
  ASSERT_TRUE(ended("x", "best/1", "INTERNAL", "it has crashed").ok());
  EXPECT_THAT(paths(), only_of_20) << "the newer one will not be whole";
}

// An upload does not wait for the events before it.
TEST_F(UploadTest, ABestAdapterThatCameAfterOneThatIsToldOfLateStays) {
  for (const int64_t step : {10, 20}) {
    v1::Artifact file = checkpoint(step, "weights of step " + std::to_string(step));
    file.set_kind("best_adapter");
    file.set_path("best_adapter/step-" + std::to_string(step) + "/weights");
    ASSERT_TRUE(coordinator().add_artifact(attempt("a/1"), file).ok());
  }
  std::vector<v1::TrainerEvent> told;
  for (const int64_t step : {10, 20}) {
    v1::ArtifactEvent& artifact = *told.emplace_back().mutable_artifact();
    artifact.set_kind("best_adapter");
    artifact.set_step(step);
  }
  ASSERT_TRUE(events("w", "a/1", 1, told).ok());
  coordinator().tick();
  const auto left = *coordinator().reader().artifacts(job("a").id());
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].path(), "best_adapter/step-20/weights");
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
