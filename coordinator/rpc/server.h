// The coordinator's gRPC port: both services, health checking and reflection.
#pragma once

#include <grpcpp/server.h>

#include <atomic>
#include <memory>
#include <string>

#include "common/http/host_port.h"
#include "common/tls/files.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/metrics/metrics.h"
#include "coordinator/rpc/job_service.h"
#include "coordinator/rpc/work_queue.h"
#include "coordinator/rpc/worker_service.h"

namespace prefixmem::rpc {

// Where and how it listens.
struct Port {
  HostPort listen;
  tls::ServerFiles tls = {};  // with client_ca, calls of WorkerService need a certificate
};

// Serves from start() to stop().
class Server {
 public:
  // `coordinator` and `metrics` outlive the server. FAILED_PRECONDITION where the address cannot be
  // listened on; what tls::check says of the files.
  static Result<std::unique_ptr<Server>> start(Coordinator& coordinator, Metrics& metrics,
                                               const Port& port);
  ~Server() { stop(); }

  // Where it listens, with the real port.
  const std::string& address() const { return address_; }

  // Ends every stream with UNAVAILABLE, then the server. Idempotent.
  void stop();

 private:
  explicit Server(Coordinator& coordinator)
      : coordinator_(coordinator),
        jobs_({coordinator, wakes_, closing_}),
        workers_({coordinator, wakes_, closing_}) {}

  Coordinator& coordinator_;
  std::atomic<bool> closing_ = false;
  WorkQueue wakes_{2};
  JobService jobs_;
  WorkerService workers_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace prefixmem::rpc
