// Tokens of users over the gRPC port, with TLS.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>

#include <future>

#include "common/files.h"
#include "common/tls/credentials.h"
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
