// What becomes of a job whose attempt has ended.
#pragma once

#include <string>

#include "common/status.h"
#include "coordinator/scheduler/state.h"

namespace prefixmem::scheduler {

enum class Outcome { kSucceeded, kFailed, kCancelled, kRetry, kMove };

struct Conclusion {
  Outcome outcome = Outcome::kFailed;
  Code code = Code::kOk;  // of a failure
  std::string reason;
};

// `end` is what the agent reported, or UNAVAILABLE with the reason where the worker was lost.
// Only UNAVAILABLE is tried again, max_retries times; where the attempt's worker was `draining` the
// job moves on and no retry is counted. A job that was to be cancelled is cancelled
// however it ended, unless it had finished. Pure.
Conclusion conclude(const Gang& gang, const Status& end, bool draining, const Config& config);

}  // namespace prefixmem::scheduler
