#include "worker/agent/transfer/artifact_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/files.h"
#include "tests/unit/agent/fake_coordinator.h"
#include "tests/unit/common/temp_folder.h"
#include "worker/agent/stream/channel.h"
#include "worker/agent/transfer/retry.h"

namespace prefixmem::agent {
namespace {

using testing::HasSubstr;

class ArtifactStoreTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(make_folders(file_.parent_path()).ok()); }
  Status upload(std::stop_token stop = {}, const std::string& path = "checkpoints/step-5") {
    const Artifact artifact{path, "checkpoint", 5, 0, "", "digest of the state"};
    return store_->upload({"job-a", 2}, artifact, folder_.path(), std::move(stop));
  }
  Status fetch(const std::string& digest) {
    return store_->fetch("job-a", {"c", "checkpoint", 5, 3, digest}, file_, {});
  }

  const TempFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "checkpoints" / "step-5";
  FakeCoordinator coordinator_;
  const std::unique_ptr<Dialler> dialler_ = *Dialler::make(coordinator_.address(), {});
  const std::unique_ptr<ArtifactStore> store_ =
      make_grpc_artifact_store([this] { return dialler_->current(); });
};

TEST_F(ArtifactStoreTest, SendsAFileInChunksAfterWhatItIs) {
  const std::string bytes((size_t{5} << 20) / 2, 'x');
  ASSERT_TRUE(write_file_atomic(file_, bytes).ok());
  ASSERT_TRUE(upload().ok());
  EXPECT_EQ(coordinator_.uploaded_bytes, bytes);
  EXPECT_EQ(coordinator_.largest_chunk, size_t{1} << 20);
  const v1::UploadHeader& header = coordinator_.uploaded;
  EXPECT_EQ(header.id().job_id() + "/" + std::to_string(header.id().attempt()), "job-a/2");
  EXPECT_EQ(header.artifact().path(), "checkpoints/step-5");
  EXPECT_EQ(header.artifact().kind(), "checkpoint");
  EXPECT_EQ(header.artifact().step(), 5);
  EXPECT_EQ(header.artifact().bytes(), static_cast<int64_t>(bytes.size()));
  EXPECT_EQ(header.artifact().sha256(), sha256_hex(bytes));
  EXPECT_EQ(header.state_digest(), "digest of the state");
}

TEST_F(ArtifactStoreTest, OfAFileThatGrowsSendsWhatItNamed) {
  const std::string bytes(size_t{8} << 20, 'x');  // more than is under way at once
  ASSERT_TRUE(write_file_atomic(file_, bytes).ok());
  coordinator_.on_header = [this] { std::ofstream(file_, std::ios::app) << "grown"; };
  ASSERT_TRUE(upload().ok());
  EXPECT_EQ(coordinator_.uploaded_bytes.size(), bytes.size());
  EXPECT_EQ(coordinator_.uploaded.artifact().sha256(), sha256_hex(coordinator_.uploaded_bytes));
}

TEST_F(ArtifactStoreTest, SendsAnEmptyFile) {
  ASSERT_TRUE(write_file_atomic(file_, "").ok());
  ASSERT_TRUE(upload().ok());
  EXPECT_EQ(coordinator_.uploaded.artifact().sha256(), sha256_hex(""));
}

TEST_F(ArtifactStoreTest, WhatATrainerNamesElsewhereIsNotRead) {
  const TempFolder elsewhere;
  const std::filesystem::path secret = elsewhere.path() / "secret";
  ASSERT_TRUE(write_file_atomic(secret, "x").ok());
  std::filesystem::create_symlink(secret, file_);
  std::filesystem::create_directory_symlink(elsewhere.path(), folder_.path() / "adapter");
  for (const std::string& path :
       {std::string("checkpoints/step-5"), std::string("adapter/secret"), secret.string(),
        "../" + elsewhere.path().filename().string() + "/secret"}) {
    EXPECT_EQ(upload({}, path).code(), Code::kInvalidArgument) << path;
  }
  EXPECT_EQ(coordinator_.uploaded_bytes, "");
}

TEST_F(ArtifactStoreTest, SaysWhyAnUploadFailed) {
  EXPECT_EQ(upload().code(), Code::kNotFound);
  ASSERT_TRUE(write_file_atomic(file_, "x").ok());
  coordinator_.answer = {grpc::StatusCode::FAILED_PRECONDITION, "not current"};
  const Status status = upload();
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("uploading checkpoints/step-5: not current"));
}

TEST_F(ArtifactStoreTest, ACoordinatorThatBreaksOffIsAway) {
  ASSERT_TRUE(write_file_atomic(file_, "x").ok());
  coordinator_.answer = {grpc::StatusCode::CANCELLED, "shutting down"};
  EXPECT_EQ(upload().code(), Code::kUnavailable);
  coordinator_.stop();
  EXPECT_EQ(upload().code(), Code::kUnavailable);
}

// The channel before it does not try again within a second.
TEST_F(ArtifactStoreTest, WhatIsDialledAnewIsUsedAtOnce) {
  ASSERT_TRUE(write_file_atomic(file_, "x").ok());
  coordinator_.stop();
  EXPECT_EQ(upload().code(), Code::kUnavailable);
  coordinator_.start();
  dialler_->dial();
  EXPECT_TRUE(upload().ok());
}

TEST_F(ArtifactStoreTest, AStopIsACancel) {
  ASSERT_TRUE(write_file_atomic(file_, "x").ok());
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(upload(stop.get_token()).code(), Code::kCancelled);
}

TEST_F(ArtifactStoreTest, FetchesAFileWholeAndChecked) {
  coordinator_.stored = "abc";
  ASSERT_TRUE(fetch(sha256_hex("abc")).ok());
  EXPECT_EQ(*read_file(file_), "abc");
}

TEST_F(ArtifactStoreTest, LeavesNothingOfAFetchThatFailed) {
  coordinator_.stored = "abc";
  coordinator_.cut_short = true;
  EXPECT_EQ(fetch(sha256_hex("abc")).code(), Code::kDataLoss);
  EXPECT_EQ(fetch(sha256_hex("other")).code(), Code::kNotFound);
  coordinator_.answer = {grpc::StatusCode::UNAVAILABLE, "going"};
  EXPECT_EQ(fetch(sha256_hex("abc")).code(), Code::kUnavailable);
  EXPECT_TRUE(std::filesystem::is_empty(file_.parent_path()));
}

TEST(RetryWhileUnavailable, GoesOnUntilAnotherAnswer) {
  const BackoffPolicy quick{Millis(1), Millis(1), 1, 0};
  int calls = 0;
  const Status status = retry_while_unavailable(
      quick, {}, [&] { return ++calls < 4 ? unavailable("away") : data_loss("cut short"); });
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_EQ(calls, 4);
}

TEST(RetryWhileUnavailable, EndsAtAStop) {
  const BackoffPolicy for_ever{Millis(3600000), Millis(3600000), 1, 0};
  std::stop_source stop;
  const Status status = retry_while_unavailable(for_ever, stop.get_token(), [&] {
    stop.request_stop();
    return unavailable("away");
  });
  EXPECT_EQ(status.code(), Code::kCancelled);
}

}  // namespace
}  // namespace prefixmem::agent
