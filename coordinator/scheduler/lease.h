// When a worker that says nothing is given up.
#pragma once

#include <string>
#include <vector>

#include "coordinator/scheduler/state.h"

namespace prefixmem::scheduler {

struct LostWorker {
  std::string id;
  std::string reason;  // "was silent for 15.2 s"
};

// The workers silent for longer than the lease, none before grace_end. Pure.
std::vector<LostWorker> expired_leases(MonotonicTime now, const State& state, const Config& config);

}  // namespace prefixmem::scheduler
