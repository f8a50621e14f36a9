#include "coordinator/rpc/gate.h"

#include <fmt/format.h>

#include "coordinator/auth/policy.h"
#include "coordinator/rpc/call_counter.h"

namespace prefixmem::rpc {
namespace {

using auth::Access;
using grpc::StatusCode;

// "prefixmem.v1.JobService/GetJob"; empty where gRPC names none.
std::string method_of(const grpc::AuthMetadataProcessor::InputMetadata& metadata) {
  const auto path = metadata.find(":path");
  if (path == metadata.end() || path->second.empty()) return {};
  return std::string(path->second.data() + 1, path->second.size() - 1);
}

grpc::Status admit(const std::string& method, const grpc::AuthContext& peer) {
  const auto policy = auth::policy_of(method);
  if (!policy) return {StatusCode::UNIMPLEMENTED, "the coordinator has no such method"};
  if (policy->access != Access::kWorker || peer.IsPeerAuthenticated()) return grpc::Status::OK;
  return {StatusCode::UNAUTHENTICATED,
          fmt::format("{} is for workers, which show a certificate that the coordinator's "
                      "--tls-client-ca has signed; give pmt-worker --tls-cert and --tls-key",
                      method)};
}

}  // namespace

grpc::Status Gate::Process(const InputMetadata& metadata, grpc::AuthContext* context,
                           OutputMetadata* /*consumed*/, OutputMetadata* /*response*/) {
  const std::string method = method_of(metadata);
  grpc::Status status = admit(method, *context);
  if (!status.ok()) {
    // Anybody may make up names: they are not to become series.
    const bool known = status.error_code() != StatusCode::UNIMPLEMENTED;
    metrics_.rpc_ended(known ? method : "unknown", code_text(status.error_code()));
  }
  return status;
}

}  // namespace prefixmem::rpc
