// Every process that came from one gang's mpirun, wherever it went.
//
// Open MPI gives each rank a process group of its own, and a rank may start processes that change
// session and lose their parent. While mpirun lives they all descend from it, being a child
// subreaper; afterwards they have fallen to the agent, another one. There a gang claims those that
// carry its mark in their environment, were seen as members before, or carry nobody's mark: they
// come from a gang whose mpirun has ended (or, where the agent is process 1, from anybody; then
// they are left alone).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/status.h"
#include "worker/agent/gang/launcher.h"
#include "worker/agent/gang/process_table.h"

namespace prefixmem::agent {

// Not thread-safe.
class Family {
 public:
  // `mark`: the environment entry "KEY=value" that the gang was started with. `root` may be dead
  // already but not yet waited for.
  Family(pid_t root, std::string mark, Launcher& launcher);

  // Reads /proc anew. Waits for dead members that have fallen to this process.
  void look();
  // Live members as of the last look.
  bool empty() const { return live_.empty(); }
  int64_t largest_resident_bytes() const;
  // UNAVAILABLE where the last looks, as many as are made in `span` with `pause` between them, have
  // all found the same one stopped by a signal.
  Status none_stopped_for(Millis span, Millis pause) const;

  // Kills all members and those that they start meanwhile, until none lives: true; or until
  // `limit` has passed.
  bool kill_all(Millis limit);

 private:
  bool is_seed(const Process& process) const;
  bool is_nameless(const Process& process) const;
  void note_stopped();
  void wait_for_one(Millis limit) const;

  const pid_t root_;
  const std::string mark_;
  Launcher& launcher_;
  std::map<pid_t, uint64_t> known_;  // pid to start time
  std::vector<Process> live_;
  std::map<pid_t, int> stopped_;  // in how many looks on end
};

}  // namespace prefixmem::agent
