// The audit log as calls fill it.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "common/content/content_name.h"
#include "common/files.h"
#include "common/sha256.h"
#include "coordinator/auth/policy.h"
#include "prefixmem/v1/admin_service.grpc.pb.h"
#include "prefixmem/v1/content_service.grpc.pb.h"
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

  // The file result.json, which holds "{}".
  grpc::Status upload_result(const v1::AttemptId& attempt) {
    v1::UploadHeader header;
    *header.mutable_id() = attempt;
    auto* artifact = header.mutable_artifact();
    artifact->set_path("result.json");
    artifact->set_kind("result");
    artifact->set_bytes(2);
    artifact->set_sha256(sha256_hex("{}"));
    artifact->set_attempt(attempt.attempt());
    v1::UploadArtifactResponse response;
    const auto context = call();
    return send_file(*workers_->UploadArtifact(context.get(), &response), header, {"{}"});
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
  const auto status = upload_result(attempt);
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

// Makes calls that change something, and notes what their lines are to say.
class AuditOfChanges : public Audit {
 protected:
  void expect(const std::string& method, const Json& what) {
    expected_.emplace_back("prefixmem.v1." + method, what);
  }

  template <class Stub, class Request, class Response>
  static Response ask(Stub& stub,
                      grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                      const Request& request) {
    Response response;
    const auto status = (stub.*method)(call().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  void change_jobs(TestWorker& worker) {
    const std::string id = submit_one();
    expect("JobService/SubmitJob", {{"idempotency_key", ""}, {"job", id}});
    worker.register_as("w");
    const auto attempt = worker.assignment().id();
    expect("WorkerService/Connect", {{"worker", "w"}, {"host", ""}});
    EXPECT_TRUE(upload_result(attempt).ok());
    expect("WorkerService/UploadArtifact",
           {{"job", id}, {"attempt", 1}, {"path", "result.json"}, {"sha256", sha256_hex("{}")}});
    v1::PinJobRequest pin;
    pin.set_job("a");
    pin.set_pinned(true);
    ask(*jobs_, &v1::JobService::Stub::PinJob, pin);
    expect("JobService/PinJob", {{"job", id}, {"pinned", true}});
    v1::CancelJobRequest cancel;
    cancel.set_job("a");
    ask(*jobs_, &v1::JobService::Stub::CancelJob, cancel);
    expect("JobService/CancelJob", {{"job", id}});
    remove_one();
  }

  // That no worker has room for.
  void remove_one() {
    v1::SubmitJobResponse made;
    const auto status = submit(
        "{name: b, model: /m, data: {train: /d.jsonl}, train: {max_steps: 2}, resources: {ranks: "
        "9}}",
        made);
    EXPECT_TRUE(status.ok()) << status.error_message();
    const std::string& id = made.jobs(0).id();
    expect("JobService/SubmitJob", {{"idempotency_key", ""}, {"job", id}});
    v1::CancelJobRequest cancel;
    cancel.set_job(id);
    ask(*jobs_, &v1::JobService::Stub::CancelJob, cancel);
    expect("JobService/CancelJob", {{"job", id}});
    v1::RemoveJobRequest remove;
    remove.set_job("b");
    ask(*jobs_, &v1::JobService::Stub::RemoveJob, remove);
    expect("JobService/RemoveJob",
           {{"job", id}, {"files_only", false}, {"jobs", 1}, {"files", 0}, {"bytes", 0}});
  }

  void change_sweeps() {
    v1::SubmitJobResponse made;
    const auto status = submit(
        "{name: s, model: /m, data: {train: /d.jsonl}, train: {max_steps: 2}, resources: {ranks: "
        "9}, sweep: {grid: {train.seed: [1, 2]}}}",
        made);
    EXPECT_TRUE(status.ok()) << status.error_message();
    expect("JobService/SubmitJob", {{"idempotency_key", ""}, {"sweep", made.sweep_id()}});
    v1::CancelSweepRequest cancel;
    cancel.set_sweep(made.sweep_id());
    ask(*jobs_, &v1::JobService::Stub::CancelSweep, cancel);
    expect("JobService/CancelSweep", {{"sweep", made.sweep_id()}});
    v1::RemoveSweepRequest remove;
    remove.set_sweep(made.sweep_id());
    ask(*jobs_, &v1::JobService::Stub::RemoveSweep, remove);
    expect("JobService/RemoveSweep", {{"sweep", made.sweep_id()},
                                      {"files_only", false},
                                      {"jobs", 2},
                                      {"files", 0},
                                      {"bytes", 0}});
  }

  void change_workers() {
    v1::CordonWorkerRequest cordon;
    cordon.set_worker("w");
    ask(*jobs_, &v1::JobService::Stub::CordonWorker, cordon);
    expect("JobService/CordonWorker", {{"worker", "w"}});
    v1::UncordonWorkerRequest uncordon;
    uncordon.set_worker("w");
    ask(*jobs_, &v1::JobService::Stub::UncordonWorker, uncordon);
    expect("JobService/UncordonWorker", {{"worker", "w"}});
    v1::DrainWorkerRequest drain;
    drain.set_worker("w");
    ask(*jobs_, &v1::JobService::Stub::DrainWorker, drain);
    expect("JobService/DrainWorker", {{"worker", "w"}});
  }

  void change_users() {
    const auto admin = v1::AdminService::NewStub(channel_);
    v1::SetTenantRequest tenant;
    tenant.set_tenant("vision");
    tenant.set_weight(2);
    tenant.mutable_quota()->set_queued_jobs(3);
    ask(*jobs_, &v1::JobService::Stub::SetTenant, tenant);
    expect("JobService/SetTenant", {{"tenant", "vision"}, {"weight", 2}, {"queued_jobs", 3}});
    v1::CreateTokenRequest create;
    create.set_name("alice");
    create.set_role(v1::ROLE_SUBMITTER);
    create.set_days(1);
    create.set_tenant("vision");
    const auto made = ask(*admin, &v1::AdminService::Stub::CreateToken, create);
    const std::string& token = made.token().id();
    expect("AdminService/CreateToken", {{"name", "alice"},
                                        {"role", "submitter"},
                                        {"days", 1},
                                        {"tenant", "vision"},
                                        {"token", token}});
    v1::RevokeTokenRequest revoke;
    revoke.set_token(token);
    ask(*admin, &v1::AdminService::Stub::RevokeToken, revoke);
    expect("AdminService/RevokeToken", {{"token", token}, {"name", "alice"}});
  }

  void change_content() {
    const auto contents = v1::ContentService::NewStub(channel_);
    v1::ContentHeader header;
    header.set_sha256(sha256_hex("GGUF"));
    header.set_bytes(4);
    v1::UploadContentResponse response;
    const auto context = call();
    EXPECT_TRUE(
        send_file(*contents->UploadContent(context.get(), &response), header, {"GGUF"}).ok());
    expect("ContentService/UploadContent", {{"sha256", header.sha256()}, {"bytes", 4}});
    const std::string content = to_string({header.sha256(), "tiny.gguf"});
    v1::AddModelRequest add;
    add.set_name("tiny");
    add.set_content(content);
    ask(*contents, &v1::ContentService::Stub::AddModel, add);
    expect("ContentService/AddModel", {{"model", "tiny"}, {"content", content}});
    v1::RemoveModelRequest remove;
    remove.set_name("tiny");
    ask(*contents, &v1::ContentService::Stub::RemoveModel, remove);
    expect("ContentService/RemoveModel", {{"model", "tiny"}, {"content", content}});
  }

  void back_up() {
    const auto context = call();
    const auto reader = v1::AdminService::NewStub(channel_)->BackUp(context.get(), {});
    v1::BackUpEnd end;
    for (v1::BackUpResponse part; reader->Read(&part);) end = part.end();
    EXPECT_TRUE(reader->Finish().ok());
    expect("AdminService/BackUp", {{"known", 0}, {"files", end.files()}});
  }

  std::vector<std::pair<std::string, Json>> expected_;  // method and what it changed, in order
};

TEST_F(AuditOfChanges, EachHasALineThatSaysWhatItChanged) {
  TestWorker worker(channel_);
  change_jobs(worker);
  change_sweeps();
  change_workers();
  change_users();
  change_content();
  back_up();
  std::vector<std::pair<std::string, Json>> said;
  std::set<std::string> methods;
  for (const Json& line : lines()) {
    EXPECT_EQ(line["code"], "OK") << line;
    const auto method = line["method"].get<std::string>();
    said.emplace_back(method, line["what"]);
    methods.insert(method);
  }
  EXPECT_EQ(said, expected_);
  for (const auth::MethodPolicy& policy : auth::policies()) {
    EXPECT_EQ(methods.contains(std::string(policy.method)), policy.changes) << policy.method;
  }
}

}  // namespace
}  // namespace prefixmem
