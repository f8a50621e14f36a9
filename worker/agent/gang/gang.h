// Runs one gang from start to end: mpirun, its ranks' events, its stderr, its stop.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/event/event.h"
#include "worker/agent/gang/gang_end.h"
#include "worker/agent/gang/launcher.h"
#include "worker/agent/gang/memory_probe.h"
#include "worker/agent/gang/roll_call.h"
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
  // For the gang to end by itself after a rank has reported its failure, or all trials their ends,
  // or the last rank has left.
  Millis failure{30000};
  // Between two questions to the ranks which collective call they are in.
  Millis roll_call{5000};
  // In one call, from which on those who are not in it are named: by the next question but one,
  // so within half a minute.
  Millis patience{15000};
  // Without an answer from a rank, whose thread for that waits for nobody: the rank is stopped, or
  // its host does not let it run. The gang is ended, UNAVAILABLE.
  Millis silence{40000};
  // For a process of the gang that a signal has stopped: mpirun, or one that is not yet a rank,
  // which nobody asks. The gang is ended, UNAVAILABLE. Longer than `silence`, whose message tells
  // more.
  Millis standstill{50000};
};

// What a gang needs of the world; outlives it.
struct GangWorld {
  Launcher& launcher;
  MemoryProbe memory;
  GangLimits limits;
  std::string host;  // this one's name
};

// What a gang tells while it runs, on the thread of run_gang().
struct GangListener {
  // Every event, in the order of arrival. A failure kills the gang and becomes GangEnd::trouble.
  std::function<Status(const TrialEvent&)> on_event;
  // A collective call hangs, in another way than before, or none does any more. What there is to
  // say of it comes as a log event too.
  std::function<void(const std::optional<Hang>&)> on_hang = [](const std::optional<Hang>&) {};
  // Somebody has knocked: the trials that are to join the bank, each as one line for the ranks.
  std::function<std::vector<std::string>()> take_joining = [] {
    return std::vector<std::string>();
  };
  // Whether those hosts of the gang that are not this one can be asked now.
  std::function<bool()> hears_other_hosts = [] { return true; };
};

// Returns when mpirun has ended and no process of the gang is left. `stop` asks the ranks with
// SIGUSR1, which mpirun passes on; a gang of which no rank has said hello, and so may not take that
// signal, has nothing to save and is killed at once.
//
// A trial that is to stop is named to rank 0 in a line on its socket. One that has not told its end
// in time is left behind: the listener gets a failure in its name, CANCELLED, and may hear from it
// still. The failure of a trial is not the gang's.
//
// One that joins is named to every rank. It has the next number, and is in the gang once it has
// sent an event; the ranks may leave before they have taken it in.
GangEnd run_gang(const GangPlan& plan, const GangWorld& world, StopRequest& stop,
                 const GangListener& listener);

}  // namespace prefixmem::agent
