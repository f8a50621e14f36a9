#include "coordinator/rpc/caller.h"

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "coordinator/auth/token.h"

namespace prefixmem::rpc {
namespace {

std::string first(const std::vector<grpc::string_ref>& values) {
  return values.empty() ? "" : std::string(values.front().data(), values.front().size());
}

// "ipv4:192.0.2.9:51234", "ipv6:[::1]:51234" or "unix:PATH", as gRPC writes a peer; it escapes the
// brackets.
std::string host_of_peer(const std::string& peer) {
  const size_t begin = peer.find(':');
  const size_t end = peer.rfind(':');
  if (begin == peer.npos || begin == end) return peer;
  return peer.substr(begin + 1, end - begin - 1);
}

}  // namespace

std::string bearer_of(const CallMetadata& metadata) {
  const auto found = metadata.find("authorization");
  if (found == metadata.end()) return {};
  return auth::bearer_of({found->second.data(), found->second.size()});
}

std::string certificate_name(const grpc::AuthContext& peer) {
  if (!peer.IsPeerAuthenticated()) return {};
  const std::string common = first(peer.FindPropertyValues("x509_common_name"));
  return common.empty() ? first(peer.GetPeerIdentity()) : common;
}

std::string caller_name(const grpc::ServerContextBase& call, const auth::TokenBook* tokens) {
  if (tokens != nullptr) {
    const auto token = tokens->whose(bearer_of(call.client_metadata()));
    if (token) return fmt::format("{} ({})", token->name(), token->id());
  }
  return host_of_peer(call.peer());
}

Result<std::string> tenant_of(const grpc::ServerContextBase& call, const auth::TokenBook* tokens) {
  if (tokens == nullptr) return std::string(auth::kDefaultTenant);
  PM_ASSIGN(const v1::Token token, tokens->owner(bearer_of(call.client_metadata())));
  return auth::tenant_of(token);
}

Status may_change(const grpc::ServerContextBase& call, const auth::TokenBook* tokens,
                  std::string_view what, const std::string& tenant) {
  if (tokens == nullptr) return {};
  PM_ASSIGN(const v1::Token token, tokens->owner(bearer_of(call.client_metadata())));
  return auth::may_change(token, what, tenant);
}

}  // namespace prefixmem::rpc
