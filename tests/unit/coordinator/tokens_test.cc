// Tokens of users over the gRPC port, with TLS.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>

#include <future>

#include "common/files.h"
#include "common/tls/credentials.h"
#include "common/version.h"
#include "prefixmem/v1/admin_service.grpc.pb.h"
#include "tests/unit/coordinator/tokens.h"

namespace prefixmem {
namespace {

using grpc::StatusCode;
using testing::ContainsRegex;
using testing::HasSubstr;

TEST_F(Tokens, ACallWithoutOneIsRefused) {
  const auto status = list(dial(""));
  EXPECT_EQ(status.error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(status.error_message(),
            "prefixmem.v1.JobService/ListWorkers needs a token; give it with PREFIXMEM_TOKEN or "
            "--token-file");
}

TEST_F(Tokens, ACallWithAnUnknownOneIsRefused) {
  const auto status = list(dial("pmt_" + std::string(64, '0')));
  EXPECT_EQ(status.error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(status.error_message(), "the token is none of this coordinator's");
}

class LimitedTokens : public Tokens {
 protected:
  void SetUp() override {
    options_.limits.calls_per_second = 1;
    Tokens::SetUp();
  }
};

TEST_F(LimitedTokens, OneUserWhoAsksTooOftenLeavesTheOthersTheirShare) {
  const auto alice = create("alice", v1::ROLE_VIEWER), bob = create("bob", v1::ROLE_VIEWER);
  const auto channel = dial(alice.secret());
  grpc::Status status;
  for (int i = 0; i < 1000 && status.ok(); ++i) status = list(channel);
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(),
              HasSubstr("alice (" + alice.token().id() + ") makes too many calls"));
  EXPECT_TRUE(list(dial(bob.secret())).ok());
}

TEST_F(Tokens, AJobIsOfItsSubmittersTenantWhateverItsSpecSays) {
  const auto made = create("alice", v1::ROLE_SUBMITTER, "vision");
  EXPECT_EQ(made.token().tenant(), "vision");
  jobs_ = v1::JobService::NewStub(dial(made.secret()));
  const std::string theirs = submit_one();
  EXPECT_EQ(job(theirs).tenant(), "vision");
  jobs_ = v1::JobService::NewStub(channel_);
  EXPECT_EQ(job(submit_one("b")).tenant(), "default");
  v1::ListTenantsResponse listed;
  ASSERT_TRUE(jobs_->ListTenants(call().get(), {}, &listed).ok());
  ASSERT_EQ(listed.tenants_size(), 2);
  EXPECT_EQ(listed.tenants(1).name(), "vision");
  EXPECT_EQ(listed.tenants(1).queued_jobs(), 1);
}

TEST_F(Tokens, AViewerMayAskForTheVersion) {
  jobs_ = v1::JobService::NewStub(dial(create("eve", v1::ROLE_VIEWER, "default").secret()));
  v1::GetVersionResponse running;
  ASSERT_TRUE(jobs_->GetVersion(call().get(), {}, &running).ok());
  EXPECT_EQ(running.version(), version());
}

TEST_F(Tokens, WhatIsOfAnotherTenantIsStoppedByAdminsAlone) {
  const auto alice = create("alice", v1::ROLE_SUBMITTER, "vision");
  const auto bob = create("bob", v1::ROLE_SUBMITTER, "speech");
  jobs_ = v1::JobService::NewStub(dial(alice.secret()));
  const std::string first = submit_one(), second = submit_one("b");
  const auto status = cancel(dial(bob.secret()), first);
  EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(status.error_message(),
            "token " + bob.token().id() + " (bob) is of tenant speech and job " + first +
                " of tenant vision; only an admin changes what is of another "
                "tenant");
  EXPECT_EQ(job(first).state(), v1::JOB_STATE_QUEUED);
  EXPECT_THAT(*read_file(options_.data_dir / "audit.jsonl"),
              ContainsRegex("bob.*CancelJob.*FAILED_PRECONDITION"));
  EXPECT_TRUE(cancel(dial(alice.secret()), first).ok());
  EXPECT_TRUE(cancel(channel_, second).ok());
  EXPECT_EQ(job(first).state(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(job(second).state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(Tokens, WhatIsOfAnotherTenantIsRemovedAndPinnedByAdminsAlone) {
  jobs_ = v1::JobService::NewStub(dial(create("alice", v1::ROLE_SUBMITTER, "vision").secret()));
  v1::SubmitJobResponse sweep;
  ASSERT_TRUE(submit("{name: s, model: /m, data: {train: /d.jsonl}, train: {max_steps: 2}, sweep: "
                     "{grid: {train.seed: [1, 2]}}}",
                     sweep)
                  .ok());
  const std::string id = submit_one();
  const auto others = v1::JobService::NewStub(dial(create("bob", v1::ROLE_SUBMITTER).secret()));
  v1::RemoveJobRequest remove;
  v1::RemoveSweepRequest remove_sweep;
  v1::PinJobRequest pin;
  remove.set_job(id);
  remove_sweep.set_sweep(sweep.sweep_id());
  pin.set_job(id);
  v1::Removed removed;
  v1::Job pinned;
  for (const auto& status : {others->RemoveJob(call().get(), remove, &removed),
                             others->RemoveSweep(call().get(), remove_sweep, &removed),
                             others->PinJob(call().get(), pin, &pinned)}) {
    EXPECT_THAT(status.error_message(), HasSubstr("only an admin changes what is of another"));
  }
  EXPECT_TRUE(cancel(channel_, id).ok());
  v1::CancelSweepRequest stop;
  stop.set_sweep(sweep.sweep_id());
  v1::Sweep stopped;
  EXPECT_TRUE(jobs_->CancelSweep(call().get(), stop, &stopped).ok());
  const auto admins = v1::JobService::NewStub(channel_);
  EXPECT_TRUE(jobs_->PinJob(call().get(), pin, &pinned).ok());
  EXPECT_TRUE(jobs_->RemoveJob(call().get(), remove, &removed).ok());
  EXPECT_TRUE(admins->RemoveSweep(call().get(), remove_sweep, &removed).ok());
  EXPECT_EQ(removed.jobs(), 2);
}

TEST_F(Tokens, ASweepOfAnotherTenantIsStoppedByAdminsAlone) {
  const auto alice = create("alice", v1::ROLE_SUBMITTER, "vision");
  jobs_ = v1::JobService::NewStub(dial(alice.secret()));
  v1::SubmitJobResponse made;
  ASSERT_TRUE(submit("{name: s, model: /m, data: {train: /d.jsonl}, train: {max_steps: 2}, sweep: "
                     "{grid: {train.seed: [1, 2]}}}",
                     made)
                  .ok());
  v1::CancelSweepRequest request;
  request.set_sweep(made.sweep_id());
  v1::Sweep sweep;
  const auto others = v1::JobService::NewStub(dial(create("bob", v1::ROLE_SUBMITTER).secret()));
  const auto status = others->CancelSweep(call().get(), request, &sweep);
  EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("sweep " + made.sweep_id() + " of tenant vision"));
  EXPECT_TRUE(jobs_->CancelSweep(call().get(), request, &sweep).ok());
}

TEST_F(Tokens, QuotasAreSetByAdminsAlone) {
  v1::SetTenantRequest request;
  request.set_tenant("default");
  request.mutable_quota()->set_slots(4);
  v1::Tenant tenant;
  const auto submitter = v1::JobService::NewStub(dial(create("a", v1::ROLE_SUBMITTER).secret()));
  EXPECT_EQ(submitter->SetTenant(call().get(), request, &tenant).error_code(),
            StatusCode::PERMISSION_DENIED);
  ASSERT_TRUE(jobs_->SetTenant(call().get(), request, &tenant).ok());
  EXPECT_EQ(tenant.quota().slots(), 4);
  EXPECT_THAT(*read_file(options_.data_dir / "audit.jsonl"),
              ContainsRegex("SetTenant.*\"tenant\":\"default\".*\"slots\":4"));
}

TEST_F(Tokens, ABackupIsForAdmins) {
  const auto begin = [](const std::shared_ptr<grpc::Channel>& channel) {
    const auto context = call();
    const auto reader = v1::AdminService::NewStub(channel)->BackUp(context.get(), {});
    for (v1::BackUpResponse part; reader->Read(&part);) continue;
    return reader->Finish().error_code();
  };
  EXPECT_EQ(begin(dial(create("alice", v1::ROLE_SUBMITTER).secret())),
            StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(begin(channel_), StatusCode::OK);
  EXPECT_THAT(*read_file(options_.data_dir / "audit.jsonl"),
              ContainsRegex("AdminService/BackUp.*\"files\":0"));
}

TEST_F(Tokens, ARoleAllowsWhatItSaysAndNoMore) {
  struct Case {
    v1::Role role;
    StatusCode looks, changes, administers;
  };
  const std::vector<Case> cases = {
      {v1::ROLE_VIEWER, StatusCode::OK, StatusCode::PERMISSION_DENIED,
       StatusCode::PERMISSION_DENIED},
      {v1::ROLE_SUBMITTER, StatusCode::OK, StatusCode::NOT_FOUND, StatusCode::PERMISSION_DENIED},
      {v1::ROLE_ADMIN, StatusCode::OK, StatusCode::NOT_FOUND, StatusCode::OK}};
  for (const Case& one : cases) {
    const auto channel = dial(create("someone", one.role).secret());
    EXPECT_EQ(list(channel).error_code(), one.looks) << one.role;
    EXPECT_EQ(cancel(channel).error_code(), one.changes) << one.role;
    EXPECT_EQ(list_tokens(channel).error_code(), one.administers) << one.role;
  }
}

TEST_F(Tokens, ARefusalNamesTokenRoleAndWhatIsNeeded) {
  const auto viewer = create("alice", v1::ROLE_VIEWER);
  EXPECT_EQ(cancel(dial(viewer.secret())).error_message(),
            "token " + viewer.token().id() +
                " (alice) has the role viewer; prefixmem.v1.JobService/CancelJob needs submitter "
                "or admin");
}

TEST_F(Tokens, ATokenIsNoCertificateOfAWorker) {
  v1::FetchArtifactResponse response;
  const auto context = call();
  EXPECT_EQ(workers_->FetchArtifact(context.get(), {})->Finish().error_code(),
            StatusCode::UNAUTHENTICATED);
}

TEST_F(Tokens, ACertificateOfAWorkerIsNoToken) {
  const auto worker = *tls::channel_credentials(authority_.client_as("worker"));
  EXPECT_EQ(list(grpc::CreateChannel(service_->grpc_address(), worker)).error_code(),
            StatusCode::UNAUTHENTICATED);
}

TEST_F(Tokens, HealthIsForAnyone) {
  grpc::ClientContext context;
  const auto channel = dial("");
  EXPECT_TRUE(channel->WaitForConnected(std::chrono::system_clock::now() + TestWorker::kPatience));
  grpc::GenericStub stub(channel);
  const grpc::Slice nothing;
  const grpc::ByteBuffer request(&nothing, 1);
  grpc::ByteBuffer response;
  std::promise<grpc::Status> ended;
  stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", {}, &request, &response,
                 [&](grpc::Status status) { ended.set_value(std::move(status)); });
  const auto status = ended.get_future().get();
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(Tokens, ARevokedOneStopsAtOnceAndEndsItsStreams) {
  const std::string id = submit_one();
  const auto made = create("bob", v1::ROLE_VIEWER);
  const auto channel = dial(made.secret());
  ASSERT_TRUE(list(channel).ok());
  v1::WatchJobRequest request;
  request.set_job(id);
  const auto context = call();
  const auto stub = v1::JobService::NewStub(channel);
  const auto watch = stub->WatchJob(context.get(), request);
  v1::JobEvent event;
  ASSERT_TRUE(watch->Read(&event));
  ASSERT_TRUE(revoke(made.token().id()).ok());
  const auto status = list(channel);
  EXPECT_EQ(status.error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_THAT(status.error_message(), ContainsRegex("token token-.* .bob. was revoked at 20"));
  while (watch->Read(&event)) continue;
  EXPECT_THAT(watch->Finish().error_message(), HasSubstr("was revoked at"));
  EXPECT_TRUE(list(channel_).ok()) << "those of others go on";
}

TEST_F(Tokens, RevokingTwiceOrNothingIsRefused) {
  const auto made = create("bob", v1::ROLE_VIEWER);
  ASSERT_TRUE(revoke(made.token().id()).ok());
  EXPECT_EQ(revoke(made.token().id()).error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(revoke("token-none").error_code(), StatusCode::NOT_FOUND);
}

TEST_F(Tokens, ARestartKeepsThemAndTheirEnds) {
  const auto kept = create("kept", v1::ROLE_VIEWER);
  const auto gone = create("gone", v1::ROLE_VIEWER);
  ASSERT_TRUE(revoke(gone.token().id()).ok());
  service_.reset();
  start();
  EXPECT_TRUE(list(dial(kept.secret())).ok());
  EXPECT_EQ(list(dial(gone.secret())).error_code(), StatusCode::UNAUTHENTICATED);
}

TEST_F(Tokens, TheStoreKeepsNoSecret) {
  const std::string secret = create("alice", v1::ROLE_ADMIN).secret();
  ASSERT_EQ(secret.size(), 4 + 64u);
  service_.reset();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(options_.data_dir)) {
    if (!entry.is_regular_file()) continue;
    const auto bytes = read_file(entry.path());
    ASSERT_TRUE(bytes.ok());
    for (const std::string& one : {secret, admin_secret_}) {
      EXPECT_EQ(bytes->find(one.substr(4)), bytes->npos) << entry.path();
    }
  }
}

TEST_F(Tokens, TheFirstOneIsMadeOnlyWhileNoCoordinatorRuns) {
  TokenOptions second;
  second.data_dir = options_.data_dir;
  second.request.set_name("root");
  second.request.set_role(v1::ROLE_ADMIN);
  second.request.set_days(1);
  EXPECT_EQ(make_first_token(second).code(), Code::kFailedPrecondition);
}

}  // namespace
}  // namespace prefixmem
