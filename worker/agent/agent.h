// The worker agent as a whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/backoff.h"
#include "common/clock.h"
#include "common/status.h"
#include "common/tls/files.h"

namespace prefixmem::agent {

struct AgentOptions {
  std::string coordinator = "127.0.0.1:7070";
  tls::ClientFiles tls;                           // of the channel to it
  std::filesystem::path work_dir;                 // made where missing; one agent at a time
  std::vector<std::string> roots;                 // NAME=DIR; none: specs may name any path
  std::filesystem::path cache;                    // of content; empty: in the work folder
  std::string hub;                                // URL of the Hub; empty: nothing is fetched there
  std::vector<std::string> hub_allow;             // HubAllowance::parse
  int slots = 0;                                  // ranks that fit; 0: one a GPU, or one a core
  int64_t memory_bytes = 0;                       // for jobs; 0: what the host has
  std::string metrics = "127.0.0.1:0";            // where /metrics is served
  bool metrics_tls = false;                       // with the certificate of `tls`
  int64_t cache_limit_bytes = int64_t{64} << 30;  // of content that specs name
  int64_t least_free_bytes = int64_t{64} << 20;   // of the disk, while jobs are taken
  std::string device = "auto";                    // auto | cpu | cuda
  int threads_per_rank = 0;             // where a spec leaves it open; 0: cores / slots, at least 1
  std::string trainer;                  // empty: pmt-trainer beside this program
  std::string allocation;               // of a batch system, told to the coordinator; empty: none
  std::string job_user;                 // account that jobs run as; empty: this program's
  std::string mpirun = "mpirun";        // path, or name to be found by $PATH
  std::filesystem::path ready_file;     // empty: none; written when /metrics is served
  int metrics_retention_seconds = 300;  // a job's series stay so long after its end
  std::string log_level = "info";
  // For tests only; no flags.
  BackoffPolicy backoff{.longest = Millis(5000)};  // well below a coordinator's grace time
  Millis shut_down_grace{5000};
};

// Runs from start() to stop().
class Agent {
 public:
  // Fails where the options are wrong, a program is missing or the work folder is taken. A
  // coordinator that is away is no failure. `clock` outlives the agent.
  static Result<std::unique_ptr<Agent>> start(const AgentOptions& options,
                                              const Clock& clock = real_clock());
  ~Agent();

  const std::string& worker_id() const;
  const std::string& metrics_address() const;
  // Readable once the agent's loop has ended, which without stop() is a failure.
  int ended_fd() const;
  Status failure() const;

  // Stops the gangs, which may write a checkpoint, tells the coordinator and ends the connection.
  // Idempotent; the destructor does it too.
  void stop();

 private:
  struct State;
  explicit Agent(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

// The whole program: runs an agent until SIGTERM or SIGINT. Called before any thread is started.
Status run_agent(const AgentOptions& options);

}  // namespace prefixmem::agent
