// WorkerService as a worker sees it, and the files that pass through it.
#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>

#include "common/sha256.h"
#include "coordinator/rpc/upload.h"
#include "tests/unit/coordinator/served.h"

namespace prefixmem {
namespace {

using grpc::StatusCode;
using testing::HasSubstr;

class RpcWorkers : public ServedTest {
 protected:
  // A job placed on a worker that stays connected.
  void place() {
    submit_one();
    worker_ = std::make_unique<TestWorker>(channel_);
    worker_->register_as("w");
    attempt_ = worker_->assignment().id();
    ASSERT_EQ(attempt_.attempt(), 1);
  }

  v1::UploadHeader header(const std::string& bytes) const {
    v1::UploadHeader header;
    *header.mutable_id() = attempt_;
    header.mutable_artifact()->set_path("adapter/weights");
    header.mutable_artifact()->set_kind("adapter");
    header.mutable_artifact()->set_bytes(static_cast<int64_t>(bytes.size()));
    header.mutable_artifact()->set_sha256(sha256_hex(bytes));
    return header;
  }

  grpc::Status upload(const v1::UploadHeader& header, const std::vector<std::string>& chunks) {
    const auto context = call();
    v1::UploadArtifactResponse response;
    return send_file(*workers_->UploadArtifact(context.get(), &response), header, chunks);
  }

  int listed() {
    v1::ListArtifactsRequest request;
    request.set_job(attempt_.job_id());
    v1::ListArtifactsResponse response;
    EXPECT_TRUE(jobs_->ListArtifacts(call().get(), request, &response).ok());
    return response.artifacts_size();
  }

  std::unique_ptr<TestWorker> worker_;
  v1::AttemptId attempt_;
};

TEST_F(RpcWorkers, TheFirstMessageIsRegister) {
  TestWorker worker(channel_);
  v1::WorkerMessage message;
  message.mutable_heartbeat();
  worker.say(message);
  const auto status = worker.end();
  EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
}

TEST_F(RpcWorkers, ABadRegistrationIsRefusedByName) {
  TestWorker worker(channel_);
  worker.register_as("no slots", 0);
  const auto status = worker.end();
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("register.worker_id is \"no slots\""));
}

TEST_F(RpcWorkers, RegistersAndIsListed) {
  TestWorker worker(channel_);
  worker.register_as("w", 3);
  const auto registered = worker.hear();
  ASSERT_TRUE(registered.has_registered());
  EXPECT_EQ(registered.registered().lease_seconds(), options_.lease_seconds);
  v1::ListWorkersResponse response;
  ASSERT_TRUE(jobs_->ListWorkers(call().get(), {}, &response).ok());
  ASSERT_EQ(response.workers_size(), 1);
  EXPECT_EQ(response.workers(0).id(), "w");
  EXPECT_EQ(response.workers(0).slots(), 3);
}

TEST_F(RpcWorkers, ASecondStreamOfAWorkerEndsTheFirst) {
  TestWorker first(channel_), second(channel_);
  first.register_as("w");
  ASSERT_TRUE(first.hear().has_registered());
  second.register_as("w");
  ASSERT_TRUE(second.hear().has_registered());
  EXPECT_NE(first.end().error_code(), StatusCode::OK);
}

TEST_F(RpcWorkers, AFileGoesInAndComesOutTheSame) {
  place();
  std::string bytes(3'000'000, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 2654435761U >> 24);
  const auto sent = upload(header(bytes), {bytes.substr(0, 1'000'000), bytes.substr(1'000'000)});
  ASSERT_TRUE(sent.ok()) << sent.error_message();
  ASSERT_TRUE(upload(header(bytes), {bytes}).ok()) << "again";
  EXPECT_EQ(listed(), 1);

  v1::DownloadArtifactRequest download;
  download.set_job(attempt_.job_id());
  download.set_path("adapter/weights");
  grpc::ClientContext context;
  const auto reader = jobs_->DownloadArtifact(&context, download);
  v1::DownloadArtifactResponse part;
  ASSERT_TRUE(reader->Read(&part));
  EXPECT_EQ(part.artifact().sha256(), sha256_hex(bytes));
  std::string received;
  while (reader->Read(&part)) received += part.chunk();
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_TRUE(received == bytes);

  v1::FetchArtifactRequest fetch;
  fetch.set_job_id(attempt_.job_id());
  fetch.set_sha256(sha256_hex(bytes));
  grpc::ClientContext fetch_context;
  const auto fetched = workers_->FetchArtifact(&fetch_context, fetch);
  v1::FetchArtifactResponse chunk;
  received.clear();
  while (fetched->Read(&chunk)) received += chunk.chunk();
  EXPECT_TRUE(fetched->Finish().ok());
  EXPECT_TRUE(received == bytes);
}

TEST_F(RpcWorkers, AnEmptyFileIsAFile) {
  place();
  EXPECT_TRUE(upload(header(""), {}).ok());
  EXPECT_EQ(listed(), 1);
}

TEST_F(RpcWorkers, DamagedUploadsLeaveNothing) {
  place();
  auto wrong = header("abc");
  wrong.mutable_artifact()->set_sha256(sha256_hex("abd"));
  EXPECT_EQ(upload(wrong, {"abc"}).error_code(), StatusCode::DATA_LOSS);
  EXPECT_EQ(upload(header("abc"), {"ab"}).error_code(), StatusCode::DATA_LOSS);
  EXPECT_EQ(upload(header("abc"), {"abc", "d"}).error_code(), StatusCode::DATA_LOSS);
  EXPECT_EQ(listed(), 0);
  const auto incoming = options_.data_dir / "blobs" / "incoming";
  EXPECT_TRUE(std::filesystem::is_empty(incoming));
}

TEST_F(RpcWorkers, ACheckpointBringsTheDigestOfItsState) {
  place();
  auto checkpoint = header("abc");
  checkpoint.set_state_digest(sha256_hex("state"));
  EXPECT_THAT(upload(checkpoint, {"abc"}).error_message(),
              HasSubstr("state_digest is given with an artifact of kind adapter"));
  checkpoint.mutable_artifact()->set_kind("checkpoint");
  checkpoint.mutable_artifact()->set_step(20);
  checkpoint.set_state_digest("c0ffee");
  const auto refused = upload(checkpoint, {"abc"});
  EXPECT_EQ(refused.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.error_message(), HasSubstr("state_digest is \"c0ffee\""));
  checkpoint.set_state_digest(sha256_hex("state"));
  ASSERT_TRUE(upload(checkpoint, {"abc"}).ok());
  v1::GetJobRequest request;
  request.set_job(attempt_.job_id());
  v1::Job job;
  ASSERT_TRUE(jobs_->GetJob(call().get(), request, &job).ok());
  EXPECT_EQ(job.progress().state_digest(), sha256_hex("state"));
  EXPECT_EQ(job.progress().state_step(), 20);
}

TEST_F(RpcWorkers, OnlyTheCurrentAttemptUploads) {
  place();
  auto later = header("abc");
  later.mutable_id()->set_attempt(2);
  const auto status = upload(later, {"abc"});
  EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("attempt 2"));
}

// Has a log of its own before any thread of the service writes to one.
class RpcWorkersLog : public RpcWorkers {
 protected:
  void SetUp() override {
    const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log_);
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink));
    spdlog::set_level(spdlog::level::warn);
    RpcWorkers::SetUp();
  }
  void TearDown() override {
    worker_.reset();
    service_->stop();
    spdlog::set_default_logger(before_);
  }
  const std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
  std::ostringstream log_;
};

TEST_F(RpcWorkersLog, ARefusedUploadIsNamed) {
  place();
  auto later = header("abc");
  later.mutable_id()->set_attempt(2);
  EXPECT_FALSE(upload(later, {"abc"}).ok());
  service_->stop();
  EXPECT_THAT(log_.str(), HasSubstr("upload of adapter/weights of " + attempt_.job_id() + ": "));
}

TEST_F(RpcWorkers, WhatIsNotThereIsNotFound) {
  place();
  v1::DownloadArtifactRequest download;
  download.set_job(attempt_.job_id());
  download.set_path("nothing");
  grpc::ClientContext context, fetch_context;
  v1::DownloadArtifactResponse part;
  const auto reader = jobs_->DownloadArtifact(&context, download);
  EXPECT_FALSE(reader->Read(&part));
  EXPECT_EQ(reader->Finish().error_code(), StatusCode::NOT_FOUND);
  v1::FetchArtifactRequest fetch;
  fetch.set_job_id(attempt_.job_id());
  fetch.set_sha256(sha256_hex("abc"));
  v1::FetchArtifactResponse chunk;
  const auto fetched = workers_->FetchArtifact(&fetch_context, fetch);
  EXPECT_FALSE(fetched->Read(&chunk));
  EXPECT_EQ(fetched->Finish().error_code(), StatusCode::NOT_FOUND);
}

TEST(CheckArtifact, PathsStayBelowTheJob) {
  v1::Artifact artifact;
  artifact.set_kind("adapter");
  artifact.set_sha256(sha256_hex(""));
  for (const char* path : {"a", "a/b.c", "checkpoints/step-3.ckpt", "..a/b"}) {
    artifact.set_path(path);
    EXPECT_TRUE(rpc::check_artifact(artifact).ok()) << path;
  }
  for (const char* path : {"", ".", "..", "/a", "a/", "../a", "a/../b", "a/./b", "a//b", "\xff"}) {
    artifact.set_path(path);
    const Status status = rpc::check_artifact(artifact);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << path;
    EXPECT_THAT(status.message(), HasSubstr("artifact.path"));
  }
}

TEST(CheckArtifact, KindDigestAndSizeAreNamed) {
  v1::Artifact artifact;
  artifact.set_path("a");
  artifact.set_kind("virus");
  EXPECT_THAT(rpc::check_artifact(artifact).message(), HasSubstr("artifact.kind is \"virus\""));
  artifact.set_kind("result");
  artifact.set_sha256("ABC");
  EXPECT_THAT(rpc::check_artifact(artifact).message(), HasSubstr("artifact.sha256 is \"ABC\""));
  artifact.set_sha256(sha256_hex(""));
  artifact.set_bytes(-1);
  EXPECT_THAT(rpc::check_artifact(artifact).message(), HasSubstr("artifact.bytes is -1"));
}

}  // namespace
}  // namespace prefixmem
