// Writes every call that changes something into the audit log, before its answer leaves.
#pragma once

#include <grpcpp/support/server_interceptor.h>

#include "common/clock.h"
#include "coordinator/audit/audit_log.h"
#include "coordinator/auth/token_book.h"

namespace prefixmem::rpc {

// Outlive the server.
struct AuditWorld {
  const Clock& clock;
  AuditLog& log;
  const auth::TokenBook* tokens;  // null: users are not asked who they are
};

// Of the methods whose policy says that they change something. A worker's stream is a line when it
// is taken in or refused. What the gate refuses does not come here.
class AuditFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit AuditFactory(const AuditWorld& world) : world_(world) {}
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override;

 private:
  const AuditWorld world_;
};

// Whether the audit log knows what to say of this method's messages.
bool is_described(const std::string& method);

}  // namespace prefixmem::rpc
