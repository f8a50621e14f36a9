// The whole coordinator as it asks users for tokens, with TLS, and users of it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "common/tls/credentials.h"
#include "coordinator/first_token.h"
#include "prefixmem/v1/admin_service.grpc.pb.h"
#include "tests/unit/common/certificates.h"
#include "tests/unit/coordinator/served.h"

namespace prefixmem {

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
  v1::CreateTokenResponse create(const std::string& name, v1::Role role,
                                 const std::string& tenant = "") {
    v1::CreateTokenRequest request;
    request.set_name(name);
    request.set_role(role);
    request.set_days(1);
    request.set_tenant(tenant);
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
  static grpc::Status cancel(const std::shared_ptr<grpc::Channel>& channel,
                             const std::string& id = "job-none") {
    v1::CancelJobRequest request;
    request.set_job(id);
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

}  // namespace prefixmem
