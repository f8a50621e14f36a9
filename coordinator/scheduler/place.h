// Which waiting job starts where, and why each of the others waits.
#pragma once

#include <string>
#include <vector>

#include "coordinator/scheduler/state.h"

namespace prefixmem::scheduler {

// One gang.
struct Start {
  std::vector<std::string> job_ids;  // one, or those of a bank
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
// on one connected worker of the right device that is neither draining nor cordoned, and never
// partly. One that does not fit now keeps every worker that it could ever run on from the jobs behind it, so nothing
// overtakes it there; one that no worker is big enough for keeps none. Among workers that fit, the
// device wanted comes first (auto: cuda; cpu: cpu), then the one with the fewest slots left.
//
// A job that starts takes those with its `bank` into its gang, in turn: an even share of what the
// free places of that device would get, and no more than the limits allow. They take nothing from
// the jobs that they pass, for which the gang holds the slots of one job. None joins a gang that
// has started. Pure.
Placement place(const State& state, const Config& config);

}  // namespace prefixmem::scheduler
