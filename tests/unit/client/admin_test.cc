// pmt admin, and how a token is shown.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "common/files.h"
#include "common/proto/timestamps.h"
#include "common/sha256.h"
#include "common/tls/credentials.h"
#include "prefixmem/v1/admin_service.grpc.pb.h"
#include "tests/unit/client/pmt_runner.h"
#include "tests/unit/common/certificates.h"

namespace prefixmem::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Keeps what it was asked, and by which tokens.
class FakeAdmin final : public v1::AdminService::Service {
 public:
  explicit FakeAdmin(const std::shared_ptr<grpc::ServerCredentials>& credentials) {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", credentials, &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    address = "127.0.0.1:" + std::to_string(port);
  }
  ~FakeAdmin() override {
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  std::string address;
  std::vector<std::string> asked, shown;
  std::vector<v1::BackUpResponse> backup;  // what the next one consists of

 private:
  void note(const grpc::ServerContext& context, const std::string& what) {
    asked.push_back(what);
    const auto found = context.client_metadata().find("authorization");
    shown.emplace_back(found == context.client_metadata().end()
                           ? ""
                           : std::string(found->second.data(), found->second.size()));
  }
  static v1::Token token(const std::string& id, int64_t expires_in_ms) {
    const FakeClock clock;
    v1::Token made;
    made.set_id(id);
    made.set_name("alice");
    made.set_role(v1::ROLE_SUBMITTER);
    made.set_tenant("vision");
    *made.mutable_expire_time() = to_timestamp(clock.wall() + Millis(expires_in_ms));
    return made;
  }
  grpc::Status CreateToken(grpc::ServerContext* context, const v1::CreateTokenRequest* request,
                           v1::CreateTokenResponse* response) override {
    note(*context, request->ShortDebugString());
    *response->mutable_token() = token("token-a", 1);
    response->set_secret("pmt_abc");
    return {};
  }
  grpc::Status ListTokens(grpc::ServerContext* context, const v1::ListTokensRequest*,
                          v1::ListTokensResponse* response) override {
    note(*context, "list");
    *response->add_tokens() = token("token-valid", 3'600'000);
    *response->add_tokens() = token("token-old", 0);
    *response->add_tokens() = token("token-gone", 3'600'000);
    response->mutable_tokens(2)->mutable_revoke_time();
    return {};
  }
  grpc::Status RevokeToken(grpc::ServerContext* context, const v1::RevokeTokenRequest* request,
                           v1::Token* response) override {
    note(*context, request->token());
    *response = token(request->token(), 1);
    return {};
  }

  grpc::Status BackUp(grpc::ServerContext* context, const v1::BackUpRequest* request,
                      grpc::ServerWriter<v1::BackUpResponse>* writer) override {
    note(*context, std::to_string(request->known_sha256_size()) + " known");
    for (const v1::BackUpResponse& part : backup) writer->Write(part);
    return {};
  }

  std::unique_ptr<grpc::Server> server_;
};

// A backup of that database and one file.
std::vector<v1::BackUpResponse> backup_of(const std::string& database, const std::string& file) {
  std::vector<v1::BackUpResponse> parts(6);
  parts[0].mutable_copying()->set_pages(2);
  parts[1].mutable_database()->set_bytes(static_cast<int64_t>(database.size()));
  parts[2].set_chunk(database);
  parts[3].mutable_file()->set_sha256(sha256_hex(file));
  parts[3].mutable_file()->set_bytes(static_cast<int64_t>(file.size()));
  parts[4].set_chunk(file);
  parts[5].mutable_end()->set_database_sha256(sha256_hex(database));
  parts[5].mutable_end()->set_files(1);
  parts[5].mutable_end()->set_file_bytes(static_cast<int64_t>(file.size()));
  return parts;
}

class Admin : public testing::Test {
 protected:
  Outcome run(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--server", admin_.address, "--tls-ca", authority_.ca()});
    return pmt_.run_as_is(arguments);
  }

  const Authority authority_;
  FakeAdmin admin_{*tls::server_credentials(authority_.server())};
  Pmt pmt_;
};

TEST_F(Admin, CreatePrintsTheSecretAlone) {
  const Outcome done =
      run({"admin", "tokens", "create", "alice", "--role", "submitter", "--tenant", "vision"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out, "pmt_abc\n");
  EXPECT_EQ(done.err,
            "pmt: this is the only sight of token token-a (alice, submitter); it expires in 90 "
            "days\n");
  EXPECT_THAT(admin_.asked, ElementsAre("name: \"alice\" role: ROLE_SUBMITTER days: 90 "
                                        "tenant: \"vision\""));
  EXPECT_EQ(run({"admin", "tokens", "create", "alice", "-o", "json"}).json()["secret"], "pmt_abc");
}

TEST_F(Admin, ListSaysWhichStillCount) {
  const Outcome done = run({"admin", "tokens", "list"});
  EXPECT_THAT(done.out,
              testing::ContainsRegex("token-valid +alice +submitter +vision +valid for 1h"));
  EXPECT_THAT(done.out, testing::ContainsRegex("token-old +alice +submitter +vision +expired"));
  EXPECT_THAT(done.out, testing::ContainsRegex("token-gone +alice +submitter +vision +revoked"));
  EXPECT_EQ(run({"admin", "tokens", "list", "-o", "json"}).json()["tokens"].size(), 3u);
}

TEST_F(Admin, RevokeSaysWhose) {
  const Outcome done = run({"admin", "tokens", "revoke", "token-a"});
  EXPECT_EQ(done.err, "pmt: token token-a (alice) is revoked\n");
  EXPECT_THAT(admin_.asked, ElementsAre("token-a"));
}

TEST_F(Admin, AWrongLineIsRefused) {
  for (const std::vector<std::string>& line :
       std::vector<std::vector<std::string>>{{"admin"},
                                             {"admin", "tokens"},
                                             {"admin", "tokens", "create"},
                                             {"admin", "tokens", "create", "a", "--role", "king"},
                                             {"admin", "tokens", "create", "a", "--days", "0"},
                                             {"admin", "tokens", "revoke"}}) {
    EXPECT_EQ(run(line).code, 2) << line.back();
  }
  EXPECT_THAT(admin_.asked, testing::IsEmpty());
}

TEST_F(Admin, ATokenComesFromAFileOrTheEnvironment) {
  pmt_.token = "pmt_env";
  pmt_.write("token", "pmt_file\n");
  EXPECT_EQ(run({"admin", "tokens", "list"}).code, 0);
  EXPECT_EQ(run({"admin", "tokens", "list", "--token-file", pmt_.path("token")}).code, 0);
  EXPECT_THAT(admin_.shown, ElementsAre("Bearer pmt_env", "Bearer pmt_file"));
}

TEST_F(Admin, ATokenGoesOverTlsAlone) {
  pmt_.token = "pmt_env";
  const Outcome done = pmt_.run_as_is({"admin", "tokens", "list", "--server", admin_.address});
  EXPECT_EQ(done.code, 11);
  EXPECT_EQ(done.err,
            "pmt: a token is given without --tls-ca; allowed: with it, for tokens go over TLS "
            "alone\n");
}

TEST_F(Admin, WhatIsNoTokenIsRefused) {
  pmt_.token = "pmt_a\nb";
  const Outcome done = run({"admin", "tokens", "list"});
  EXPECT_EQ(done.code, 11);
  EXPECT_EQ(done.err,
            "pmt: the token given is none; allowed: what pmt admin tokens create has printed\n");
  pmt_.write("empty", "\n");
  EXPECT_THAT(run({"admin", "tokens", "list", "--token-file", pmt_.path("empty")}).err,
              HasSubstr("is empty; allowed: a token"));
}

TEST_F(Admin, BackupSaysWhatItHolds) {
  admin_.backup = backup_of("database", "weights");
  const std::string out = pmt_.path("backup");
  const Outcome done = run({"admin", "backup", "--out", out});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.err, "pmt: " + out +
                          " holds the coordinator's database and 1 files, 15 B; 15 B of them were "
                          "sent\n");
  EXPECT_EQ(run({"admin", "backup", "--out", out, "-o", "json"}).json()["files"], 1);
  EXPECT_THAT(admin_.asked, ElementsAre("0 known", "1 known"));
}

TEST_F(Admin, ABackupThatIsNotWholeLeavesTheEarlierOne) {
  const std::string out = pmt_.path("backup");
  admin_.backup = backup_of("database", "weights");
  ASSERT_EQ(run({"admin", "backup", "--out", out}).code, 0);
  const std::string before = *read_file(out + "/backup.json");
  const auto parts = backup_of("another database", "other weights");
  const auto refused = [&](size_t at, const v1::BackUpResponse& instead) {
    admin_.backup = parts;
    admin_.backup[at] = instead;
    const Outcome done = run({"admin", "backup", "--out", out});
    EXPECT_EQ(done.code, 14) << done.err;
    EXPECT_EQ(*read_file(out + "/backup.json"), before);
    return done.err;
  };
  v1::BackUpResponse chunk;
  chunk.set_chunk("other Weights");
  EXPECT_THAT(refused(4, chunk), HasSubstr("of the backup arrived with sha256"));
  chunk.set_chunk("other");
  EXPECT_THAT(refused(4, chunk), HasSubstr("lacks 8 bytes"));
  chunk.set_chunk("other weights and more");
  EXPECT_THAT(refused(4, chunk), HasSubstr("has bytes of no file"));
  chunk.set_chunk("another Database");
  EXPECT_THAT(refused(2, chunk), HasSubstr("the database of the backup arrived with sha256"));
  v1::BackUpResponse file;
  file.mutable_file()->set_sha256("../../etc");
  EXPECT_THAT(refused(3, file), HasSubstr("a file without a sha256"));
  EXPECT_THAT(refused(5, {}), HasSubstr("ended before all of it had come"));
}

TEST_F(Admin, RestoreNeedsTheProgramOfTheCoordinator) {
  const Outcome done = run({"admin", "restore", "b", "--data-dir", "d"});
  EXPECT_EQ(done.code, 12);
  EXPECT_THAT(done.err, HasSubstr("does not exist; it is installed with the coordinator"));
}

}  // namespace
}  // namespace prefixmem::client
