#include "coordinator/rpc/gate.h"

#include <fmt/format.h>

#include <string>

#include "coordinator/auth/policy.h"
#include "coordinator/rpc/call_counter.h"
#include "coordinator/rpc/caller.h"

namespace prefixmem::rpc {
namespace {

using auth::Access;
using auth::MethodPolicy;
using grpc::StatusCode;

// "prefixmem.v1.JobService/GetJob"; empty where gRPC names none.
std::string method_of(const grpc::AuthMetadataProcessor::InputMetadata& metadata) {
  const auto path = metadata.find(":path");
  if (path == metadata.end() || path->second.empty()) return {};
  return std::string(path->second.data() + 1, path->second.size() - 1);
}

grpc::Status admit_worker(const MethodPolicy& policy, const grpc::AuthContext& peer) {
  if (peer.IsPeerAuthenticated()) return grpc::Status::OK;
  return {StatusCode::UNAUTHENTICATED,
          fmt::format("{} is for workers, which show a certificate that the coordinator's "
                      "--tls-client-ca has signed; give pmt-worker --tls-cert and --tls-key",
                      policy.method)};
}

}  // namespace

grpc::Status Gate::refuse_role(const MethodPolicy& policy, const v1::Token& token) {
  grpc::Status refusal(StatusCode::PERMISSION_DENIED,
                       auth::refusal(token, policy.method, policy.access));
  if (policy.changes) {
    world_.audit.append({.time = world_.clock.wall(),
                         .who = {{"token", token.id()}, {"name", token.name()}},
                         .method = std::string(policy.method),
                         .what = {},
                         .code = code_text(refusal.error_code()),
                         .message = refusal.error_message()});
  }
  return refusal;
}

grpc::Status Gate::admit_user(const MethodPolicy& policy, const InputMetadata& metadata) {
  if (world_.tokens == nullptr) return grpc::Status::OK;
  const std::string secret = bearer_of(metadata);
  if (secret.empty()) {
    return {StatusCode::UNAUTHENTICATED,
            fmt::format("{} needs a token; give it with PREFIXMEM_TOKEN or --token-file",
                        policy.method)};
  }
  const auto token = world_.tokens->owner(secret);
  if (!token.ok()) return {StatusCode::UNAUTHENTICATED, token.status().message()};
  return auth::allows(token->role(), policy.access) ? grpc::Status::OK
                                                    : refuse_role(policy, *token);
}

grpc::Status Gate::Process(const InputMetadata& metadata, grpc::AuthContext* context,
                           OutputMetadata* /*consumed*/, OutputMetadata* /*response*/) {
  const std::string method = method_of(metadata);
  const auto policy = auth::policy_of(method);
  grpc::Status status;
  if (!policy) {
    status = {StatusCode::UNIMPLEMENTED, "the coordinator has no such method"};
  } else if (policy->access == Access::kWorker) {
    status = admit_worker(*policy, *context);
  } else if (policy->access != Access::kAnyone) {
    status = admit_user(*policy, metadata);
  }
  // Anybody may make up names: they are not to become series.
  if (!status.ok()) {
    world_.metrics.rpc_ended(policy ? method : "unknown", code_text(status.error_code()));
  }
  return status;
}

}  // namespace prefixmem::rpc
