#include "coordinator/rpc/caller.h"

#include <string_view>
#include <vector>

namespace prefixmem::rpc {
namespace {

constexpr std::string_view kBearer = "Bearer ";

std::string first(const std::vector<grpc::string_ref>& values) {
  return values.empty() ? "" : std::string(values.front().data(), values.front().size());
}

}  // namespace

std::string bearer_of(const CallMetadata& metadata) {
  const auto found = metadata.find("authorization");
  if (found == metadata.end()) return {};
  const std::string_view value(found->second.data(), found->second.size());
  return value.starts_with(kBearer) ? std::string(value.substr(kBearer.size())) : "";
}

std::string certificate_name(const grpc::AuthContext& peer) {
  if (!peer.IsPeerAuthenticated()) return {};
  const std::string common = first(peer.FindPropertyValues("x509_common_name"));
  return common.empty() ? first(peer.GetPeerIdentity()) : common;
}

}  // namespace prefixmem::rpc
