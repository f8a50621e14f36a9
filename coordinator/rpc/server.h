// The coordinator's gRPC port: its services, health checking and reflection.
#pragma once

#include <grpcpp/server.h>

#include <atomic>
#include <memory>
#include <string>

#include "common/http/host_port.h"
#include "common/tls/files.h"
#include "coordinator/audit/audit_log.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/metrics/metrics.h"
#include "coordinator/rpc/admin_service.h"
#include "coordinator/rpc/content_service.h"
#include "coordinator/rpc/job_service.h"
#include "coordinator/rpc/limits.h"
#include "coordinator/rpc/work_queue.h"
#include "coordinator/rpc/worker_service.h"

namespace prefixmem::rpc {

// Where and how it listens.
struct Port {
  HostPort listen;
  tls::ServerFiles tls = {};  // with client_ca, calls of WorkerService need a certificate
  bool asks_users = false;    // calls of users need a token; only with client_ca
  Limits limits = {};
};

// What it works with; outlives the server.
struct ServerWorld {
  Coordinator& coordinator;
  const Clock& clock;
  Metrics& metrics;
  AuditLog& audit;
};

// Serves from start() to stop().
class Server {
 public:
  // FAILED_PRECONDITION where the address cannot be listened on; what tls::check says of the files.
  static Result<std::unique_ptr<Server>> start(const ServerWorld& world, const Port& port);
  ~Server() { stop(); }

  // Where it listens, with the real port.
  const std::string& address() const { return address_; }

  // Ends every stream with UNAVAILABLE, then the server. Idempotent.
  void stop();

 private:
  // With `tokens` null, users are not asked who they are.
  Server(const ServerWorld& world, const auth::TokenBook* tokens, const Limits& limits)
      : limits_(world.clock, limits),
        context_{world.coordinator, world.clock, limits_, calls_, wakes_, files_,
                 closing_,          tokens} {}

  std::atomic<bool> closing_ = false;
  CallerLimits limits_;
  WorkQueue calls_{16}, wakes_{2}, files_{16};
  const ServiceContext context_;
  JobService jobs_{context_};
  WorkerService workers_{context_};
  AdminService admin_{context_};
  ContentService content_{context_};
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace prefixmem::rpc
