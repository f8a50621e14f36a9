// Before every call of every service: who is it, and may he?
#pragma once

#include <grpcpp/security/auth_metadata_processor.h>

#include <string>

#include "coordinator/metrics/metrics.h"

namespace prefixmem::rpc {

// Called by gRPC before a call reaches its service, over TLS alone. Thread-safe; `metrics` outlives
// the server. Refuses with one sentence: UNAUTHENTICATED, PERMISSION_DENIED, UNIMPLEMENTED for a
// method that is not in auth::policies().
class Gate final : public grpc::AuthMetadataProcessor {
 public:
  explicit Gate(Metrics& metrics) : metrics_(metrics) {}

  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context,
                       OutputMetadata* consumed, OutputMetadata* response) override;

 private:
  Metrics& metrics_;
};

}  // namespace prefixmem::rpc
