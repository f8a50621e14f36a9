// The coordinator as a whole: store, core, clockwork, gRPC and HTTP, wired and supervised.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "common/clock.h"
#include "common/status.h"
#include "common/tls/files.h"
#include "coordinator/rpc/limits.h"
#include "coordinator/store/s3/options.h"

namespace prefixmem {

struct ServiceOptions {
  std::filesystem::path data_dir;         // made where missing; one coordinator at a time
  store::s3::Flags s3;                    // a bucket for the files; blobs empty: below data_dir
  std::string listen = "127.0.0.1:7070";  // gRPC
  std::string http = "127.0.0.1:7071";    // page and /metrics
  tls::ServerFiles tls;                   // of the gRPC port
  bool http_tls = false;                  // its certificate serves the page and /metrics too
  std::string auth = "none";              // none | tokens: whether users are asked who they are
  bool insecure = false;                  // may serve others than this host without asking them
  double lease_seconds = 15;
  double heartbeat_seconds = 3;
  double grace_seconds = 30;
  int max_retries = 3;
  rpc::Limits limits;               // of the gRPC port's callers
  double keep_content_hours = 168;  // of content that nothing names any more
  double keep_files_hours = 0;      // of jobs that have ended; 0: for ever
  double keep_jobs_hours = 0;       // likewise, of what else there is of them
  double grow_after_seconds = 60;   // that a gang is left as it is before it may grow
  int bank_limit = 16;              // jobs that one gang is started with, at most
  std::filesystem::path
      provisioner;                   // file of provision::Config; empty: workers come by themselves
  std::filesystem::path ready_file;  // empty: none; written when both ports are served
  std::string log_level = "info";
};

// Runs from start() to stop().
class Service {
 public:
  // INVALID_ARGUMENT naming the flag; FAILED_PRECONDITION where the store or a port is taken.
  // `clock` outlives the service.
  static Result<std::unique_ptr<Service>> start(const ServiceOptions& options,
                                                const Clock& clock = real_clock());
  ~Service();

  const std::string& grpc_address() const;
  const std::string& http_address() const;
  // Readable once the service cannot go on; failure() says why.
  int failed_fd() const;
  Status failure() const;

  // Ends the streams, then the servers; running jobs go on at their workers. Idempotent; the
  // destructor does it too.
  void stop();

 private:
  struct State;
  explicit Service(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

// The whole program: serves until SIGTERM or SIGINT. Called before any thread is started.
Status run_service(const ServiceOptions& options);

}  // namespace prefixmem
