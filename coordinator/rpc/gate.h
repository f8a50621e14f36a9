// Before every call of every service: who is it, and may he?
#pragma once

#include <grpcpp/security/auth_metadata_processor.h>

#include "common/clock.h"
#include "coordinator/audit/audit_log.h"
#include "coordinator/auth/policy.h"
#include "coordinator/auth/token_book.h"
#include "coordinator/metrics/metrics.h"

namespace prefixmem::rpc {

// What a gate works with; outlives the server.
struct GateWorld {
  const Clock& clock;
  Metrics& metrics;
  AuditLog& audit;
  const auth::TokenBook* tokens;  // null: users are not asked who they are
};

// Called by gRPC before a call reaches its service, over TLS alone. Thread-safe. Refuses with one
// sentence: UNAUTHENTICATED, PERMISSION_DENIED, and UNIMPLEMENTED for a method that is not in
// auth::policies().
class Gate final : public grpc::AuthMetadataProcessor {
 public:
  explicit Gate(const GateWorld& world) : world_(world) {}

  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context,
                       OutputMetadata* consumed, OutputMetadata* response) override;

 private:
  grpc::Status admit_user(const auth::MethodPolicy& policy, const InputMetadata& metadata);
  grpc::Status refuse_role(const auth::MethodPolicy& policy, const v1::Token& token);

  const GateWorld world_;
};

}  // namespace prefixmem::rpc
