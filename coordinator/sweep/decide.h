// Whether a sweep begins another trial, waits or is over.
#pragma once

#include <optional>
#include <string>

#include "coordinator/sweep/plan.h"
#include "coordinator/sweep/record.h"

namespace prefixmem::sweep {

struct Next {
  enum class Kind { kTrial, kWait, kDone, kGivenUp };
  Kind kind = Kind::kWait;
  Run run = {};  // of a trial: the job to begin
  std::string reason;
};

// What has begun comes first: the other jobs of a setting, then the tests of searches that have
// ended. Then the search that has tried the fewest settings tries another, so that each has had the
// same budget whenever the sweep is cut short. `ranks`: of a job that would begin. Pure: the same
// plan and record give the same answer.
Next next(const SweepPlan& plan, const Record& record, int ranks);

// Why trials that are open are to be stopped; none: they go on. Pure.
std::optional<std::string> spent(const SweepPlan& plan, const Record& record);

// Trials that fail one after another, after which a sweep begins none any more.
inline constexpr int kMostFailures = 10;

}  // namespace prefixmem::sweep
