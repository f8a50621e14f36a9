// Which attempt of a job may speak: only the current one, from the worker that holds it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/status.h"
#include "coordinator/scheduler/state.h"

namespace prefixmem::scheduler {

struct AttemptKey {
  std::string job_id;
  int attempt = 0;
};

// OK, or FAILED_PRECONDITION that says what is current. `current`: the job's placed attempt, null
// where it has none. Pure.
Status fence(const AttemptKey& reported, const Attempt* current);

// What follows from the attempts that a worker reports when it registers.
struct Reconciliation {
  std::vector<AttemptKey> stale;   // to be killed: not current
  std::vector<AttemptKey> kept;    // go on
  std::vector<AttemptKey> resent;  // never heard of: the assignment was lost on its way
  std::vector<AttemptKey> gone;    // it had begun, and the worker does not run it any more
};

// A placed attempt with what has been heard of it.
struct Held {
  Attempt attempt;
  bool began = false;  // events have come from it
};

// `held` are the attempts placed on that worker. Pure.
Reconciliation reconcile(const std::vector<AttemptKey>& reported, const std::vector<Held>& held);

}  // namespace prefixmem::scheduler
