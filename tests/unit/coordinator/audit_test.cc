// The audit log as calls fill it.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "common/files.h"
#include "common/sha256.h"
#include "prefixmem/v1/admin_service.grpc.pb.h"
#include "tests/unit/coordinator/served.h"

namespace prefixmem {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using Json = nlohmann::json;

class Audit : public ServedTest {
 protected:
  // What has been written so far: a line is there before its answer.
  std::vector<Json> lines() const {
    std::vector<Json> found;
    std::istringstream text(*read_file(options_.data_dir / "audit.jsonl"));
    for (std::string line; std::getline(text, line);) found.push_back(Json::parse(line));
    return found;
  }
};

TEST_F(Audit, ASubmissionNamesItsJob) {
  const std::string id = submit_one();
  const auto written = lines();
  ASSERT_EQ(written.size(), 1u);
  EXPECT_EQ(written[0]["method"], "prefixmem.v1.JobService/SubmitJob");
  EXPECT_EQ(written[0]["what"], Json({{"idempotency_key", ""}, {"job", id}}));
  EXPECT_EQ(written[0]["code"], "OK");
  EXPECT_THAT(written[0]["who"]["peer"].get<std::string>(), StartsWith("ipv4:127.0.0.1:"));
}

TEST_F(Audit, AFailureIsWrittenWithItsReason) {
  v1::CancelJobRequest request;
  request.set_job("job-none");
  v1::Job job;
  const auto status = jobs_->CancelJob(call().get(), request, &job);
  const auto written = lines();
  ASSERT_EQ(written.size(), 1u);
  EXPECT_EQ(written[0]["what"], Json({{"job", "job-none"}}));
  EXPECT_EQ(written[0]["code"], "NOT_FOUND");
  EXPECT_EQ(written[0]["message"], status.error_message());
}

TEST_F(Audit, WhatOnlyLooksIsNotWritten) {
  v1::ListWorkersResponse response;
  ASSERT_TRUE(jobs_->ListWorkers(call().get(), {}, &response).ok());
  EXPECT_TRUE(lines().empty());
}

TEST_F(Audit, AWorkerAndItsFilesAreWritten) {
  const std::string id = submit_one();
  TestWorker worker(channel_);
  worker.register_as("w");
  const auto attempt = worker.assignment().id();
  ASSERT_EQ(attempt.job_id(), id);
  v1::UploadArtifactResponse response;
  const auto context = call();
  const auto writer = workers_->UploadArtifact(context.get(), &response);
  v1::UploadArtifactRequest header, chunk;
  *header.mutable_header()->mutable_id() = attempt;
  auto* artifact = header.mutable_header()->mutable_artifact();
  artifact->set_path("result.json");
  artifact->set_kind("result");
  artifact->set_bytes(2);
  artifact->set_sha256(sha256_hex("{}"));
  artifact->set_attempt(attempt.attempt());
  chunk.set_chunk("{}");
  ASSERT_TRUE(writer->Write(header) && writer->Write(chunk) && writer->WritesDone());
  const auto status = writer->Finish();
  ASSERT_TRUE(status.ok()) << status.error_message();
  const auto written = lines();
  ASSERT_EQ(written.size(), 3u);
  EXPECT_EQ(written[1]["method"], "prefixmem.v1.WorkerService/Connect");
  EXPECT_EQ(written[1]["what"]["worker"], "w");
  EXPECT_EQ(
      written[2]["what"],
      Json({{"job", id}, {"attempt", 1}, {"path", "result.json"}, {"sha256", sha256_hex("{}")}}));
}

TEST_F(Audit, ASecretIsNotWritten) {
  v1::CreateTokenRequest request;
  request.set_name("alice");
  request.set_role(v1::ROLE_VIEWER);
  request.set_days(1);
  v1::CreateTokenResponse made;
  const auto status =
      v1::AdminService::NewStub(channel_)->CreateToken(call().get(), request, &made);
  ASSERT_TRUE(status.ok()) << status.error_message();
  const auto written = lines();
  ASSERT_EQ(written.size(), 1u);
  EXPECT_EQ(
      written[0]["what"],
      Json({{"name", "alice"}, {"role", "viewer"}, {"days", 1}, {"token", made.token().id()}}));
  EXPECT_THAT(written[0].dump(), testing::Not(HasSubstr(made.secret().substr(4))));
}

}  // namespace
}  // namespace prefixmem
