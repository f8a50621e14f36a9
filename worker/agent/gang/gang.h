// Runs one gang from start to end: mpirun, its ranks' events, its stderr, its stop.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "common/clock.h"
#include "common/event/event.h"
#include "worker/agent/gang/gang_end.h"
#include "worker/agent/gang/launcher.h"
#include "worker/agent/gang/memory_probe.h"
#include "worker/agent/gang/stop_request.h"

namespace prefixmem::agent {

struct GangPlan {
  Command command;  // `output` is set by run_gang
  std::filesystem::path socket;
  std::filesystem::path output_file;  // stderr and stdout
  // "KEY=value" of the command's environment that no other gang has.
  std::string mark;
  int trials = 0;  // of a bank, each of which tells its own end; 0: the gang is no bank
};

struct GangLimits {
  // From a stop or a kill to giving up on a process that cannot be killed.
  Millis kill{2000};
  // Between two looks at the processes and the memory.
  Millis look{1000};
  // For the first event: it comes once the ranks have found each other.
  Millis start{300000};
  // For the gang to end by itself after a rank has reported its failure, or all trials their ends.
  Millis failure{30000};
};

// What a gang needs of the world; outlives it.
struct GangWorld {
  Launcher& launcher;
  MemoryProbe memory;
  GangLimits limits;
};

// Returns when mpirun has ended and no process of the gang is left. `on_event` is called on the
// calling thread for every event, in the order of arrival; its failure kills the gang and becomes
// GangEnd::trouble. `stop` asks the ranks with SIGUSR1, which mpirun passes on; a gang of which no
// rank has said hello, and so may not take that signal, has nothing to save and is killed at once.
//
// A trial that is to stop is named to rank 0 in a line on its socket. One that has not told its end
// in time is left behind: `on_event` gets a failure in its name, CANCELLED, and may hear from it
// still. The failure of a trial is not the gang's.
GangEnd run_gang(const GangPlan& plan, const GangWorld& world, StopRequest& stop,
                 const std::function<Status(const TrialEvent&)>& on_event);

}  // namespace prefixmem::agent
