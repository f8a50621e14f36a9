// Which waiting job starts where, and why each of the others waits.
#pragma once

#include <string>
#include <vector>

#include "coordinator/scheduler/state.h"

namespace prefixmem::scheduler {

struct Start {
  std::string job_id;
  std::string worker_id;
  std::string reason;
};

struct Wait {
  std::string job_id;
  std::string reason;
};

struct Placement {
  std::vector<Start> starts;
  std::vector<Wait> waits;
};

// Jobs are looked at by priority, then in the order submitted. A job starts when all its ranks fit
// on one connected worker of the right device that is not draining, and never partly. One that does
// not fit now keeps every worker that it could ever run on from the jobs behind it, so nothing
// overtakes it there; one that no worker is big enough for keeps none. Among workers that fit, the
// device wanted comes first (auto: cuda; cpu: cpu), then the one with the fewest slots left. Pure.
Placement place(const State& state);

}  // namespace prefixmem::scheduler
