// Tokens of users over the gRPC port, with TLS.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <httplib.h>

#include <future>

#include "common/files.h"
#include "common/tls/credentials.h"
#include "coordinator/first_token.h"
#include "prefixmem/v1/admin_service.grpc.pb.h"
#include "tests/unit/common/certificates.h"
#include "tests/unit/coordinator/served.h"

namespace prefixmem {
namespace {

using grpc::StatusCode;
using testing::ContainsRegex;
using testing::HasSubstr;

class Tokens : public ServedTest {
 protected:
  void SetUp() override {
    options_.tls = authority_.server();
    options_.tls.client_ca = authority_.ca();
    options_.auth = "tokens";
    options_.data_dir = folder_.path() / "data";
    admin_secret_ = first_token();
    credentials_ = with(admin_secret_);
    start();
  }

  // As `pmt-coordinator token` does.
  std::string first_token() const {
    TokenOptions first;
    first.data_dir = options_.data_dir;
    first.request.set_name("root");
    first.request.set_role(v1::ROLE_ADMIN);
    first.request.set_days(1);
    testing::internal::CaptureStdout();
    const Status made = make_first_token(first);
    std::string secret = testing::internal::GetCapturedStdout();
    EXPECT_TRUE(made.ok()) << made.message();
    if (!secret.empty()) secret.pop_back();
    return secret;
  }
  std::shared_ptr<grpc::ChannelCredentials> with(const std::string& secret) const {
    auto channel = *tls::channel_credentials(authority_.client());
    if (secret.empty()) return channel;
    return grpc::CompositeChannelCredentials(channel, grpc::AccessTokenCredentials(secret));
  }
  std::shared_ptr<grpc::Channel> dial(const std::string& secret) const {
    return grpc::CreateChannel(service_->grpc_address(), with(secret));
  }
  v1::CreateTokenResponse create(const std::string& name, v1::Role role) {
    v1::CreateTokenRequest request;
    request.set_name(name);
    request.set_role(role);
    request.set_days(1);
    v1::CreateTokenResponse made;
    const auto status =
        v1::AdminService::NewStub(channel_)->CreateToken(call().get(), request, &made);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return made;
  }
  grpc::Status revoke(const std::string& id) {
    v1::RevokeTokenRequest request;
    request.set_token(id);
    v1::Token token;
    return v1::AdminService::NewStub(channel_)->RevokeToken(call().get(), request, &token);
  }
  static grpc::Status list(const std::shared_ptr<grpc::Channel>& channel) {
    v1::ListWorkersResponse response;
    return v1::JobService::NewStub(channel)->ListWorkers(call().get(), {}, &response);
  }
  static grpc::Status cancel(const std::shared_ptr<grpc::Channel>& channel) {
    v1::CancelJobRequest request;
    request.set_job("job-none");
    v1::Job job;
    return v1::JobService::NewStub(channel)->CancelJob(call().get(), request, &job);
  }
  static grpc::Status list_tokens(const std::shared_ptr<grpc::Channel>& channel) {
    v1::ListTokensResponse response;
    return v1::AdminService::NewStub(channel)->ListTokens(call().get(), {}, &response);
  }

  const Authority authority_;
  std::string admin_secret_;
};

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

TEST_F(Tokens, ThePagesChangeNothing) {
  const std::string id = submit_one();
  httplib::Client client("http://" + service_->http_address());
  const httplib::Headers own_page = {{"Origin", "http://" + service_->http_address()}};
  const auto answer =
      client.Post(("/api/jobs/" + id + "/cancel").c_str(), own_page, "", "text/plain");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 409);
  EXPECT_THAT(answer->body, HasSubstr("this coordinator asks for tokens"));
  EXPECT_EQ(job(id).state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(client.Get(("/api/jobs/" + id).c_str())->status, 200) << "they show it";
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
