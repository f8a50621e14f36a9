// What becomes of a job whose attempt has ended.
#pragma once

#include <string>

#include "common/status.h"
#include "coordinator/scheduler/state.h"

namespace prefixmem::scheduler {

enum class Outcome { kSucceeded, kFailed, kTimedOut, kCancelled, kRetry, kMove };

struct Conclusion {
  Outcome outcome = Outcome::kFailed;
  Code code = Code::kOk;  // of a failure
  std::string reason;
  int bank_limit = 0;  // of its next gang; 0: as before
};

// How an attempt ended.
struct End {
  Status status;          // the agent's report, or UNAVAILABLE where the worker was lost
  bool draining = false;  // its worker shuts down
  int shared_by = 1;      // jobs that the gang was started with, where it failed as a whole
};

// Only UNAVAILABLE and a worker's full disk, of which others may have room, are tried again,
// max_retries times; where its worker shuts down or was asked to let it go, the job moves on and no
// retry is counted. A gang that failed as a whole may have failed for another job's sake, so each
// goes on apart: alone, or where something ran out with half as many; no retry is counted, as the
// gangs only get smaller. An attempt that was asked to stop counts as that says however it ended,
// unless it had finished. What would go on but has no time left has timed out. Pure.
Conclusion conclude(const Attempt& attempt, const End& end, const Config& config);

// What a job whose time limit is used up ends with.
Status time_is_up(const TimeLimit& limit);

}  // namespace prefixmem::scheduler
