#include "client/channel/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "common/proto/status_grpc.h"
#include "common/tls/credentials.h"

namespace prefixmem::client {
namespace {

constexpr int kMaxMessageBytes = 256 << 20;  // a page of jobs with long specs
// Finds a host that vanished under a quiet stream. A gRPC server takes a ping every 5 minutes from
// anybody and hangs up on a client that sends more.
constexpr int kKeepaliveMs = 310000;
constexpr int kKeepaliveTimeoutMs = 10000;
constexpr int kConnectMs = 10000;  // what dialling may take: gRPC's name for it says something else
constexpr int kFirstRedialMs = 100;
constexpr int kLongestRedialMs = 5000;

// gRPC puts the cause last: "failed to connect to all addresses; …: Connection refused".
std::string last_part(const std::string& message) {
  const size_t colon = message.rfind(": ");
  return colon == message.npos ? message : message.substr(colon + 2);
}

// "pmt_" and hexadecimal digits; anything else might break the header that it goes into.
bool is_token(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
}

Result<std::shared_ptr<grpc::ChannelCredentials>> credentials_of(const Credentials& given) {
  PM_ASSIGN(auto channel, tls::channel_credentials(given.tls));
  if (given.token.empty()) return channel;
  if (!given.tls.any()) {
    return invalid_argument(
        "a token is given without --tls-ca; allowed: with it, for tokens go over TLS alone");
  }
  if (!is_token(given.token)) {
    return invalid_argument(
        "the token given is none; allowed: what pmt admin tokens create has printed");
  }
  return grpc::CompositeChannelCredentials(channel, grpc::AccessTokenCredentials(given.token));
}

}  // namespace

Result<std::unique_ptr<Connection>> make_connection(std::string address, Millis timeout,
                                                    const Credentials& credentials) {
  PM_ASSIGN(const auto channel_credentials, credentials_of(credentials));
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // no limit
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstRedialMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLongestRedialMs);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  auto connection = std::make_unique<Connection>();
  connection->channel = grpc::CreateCustomChannel(address, channel_credentials, arguments);
  connection->stub = v1::JobService::NewStub(connection->channel);
  connection->admin = v1::AdminService::NewStub(connection->channel);
  connection->content = v1::ContentService::NewStub(connection->channel);
  connection->health = grpc::health::v1::Health::NewStub(connection->channel);
  connection->address = std::move(address);
  connection->timeout = timeout;
  return connection;
}

void set_deadline(grpc::ClientContext& context, Millis limit) {
  context.set_deadline(std::chrono::system_clock::now() + limit);
}

Status call_status(const grpc::Status& status, const std::string& address, Millis limit) {
  const std::string& message = status.error_message();
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return unavailable(fmt::format(
          "no answer from the coordinator at {} ({}); start pmt-coordinator there, or name another "
          "with --server HOST:PORT or PREFIXMEM_SERVER",
          address, last_part(message)));
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return unavailable(
          fmt::format("the coordinator at {} did not answer within {} s; --timeout allows it more",
                      address, to_seconds(limit)));
    case grpc::StatusCode::UNIMPLEMENTED:
      return internal_error(
          fmt::format("what answers at {} does not know this call: it is no pmt-coordinator, or of "
                      "another version",
                      address));
    default:
      return from_grpc(status);
  }
}

}  // namespace prefixmem::client
