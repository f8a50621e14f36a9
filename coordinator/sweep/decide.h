// Whether a sweep begins another trial, waits or is over.
#pragma once

#include <optional>
#include <string>

#include "coordinator/sweep/history.h"
#include "coordinator/sweep/plan.h"

namespace prefixmem::sweep {

struct Next {
  enum class Kind { kTrial, kWait, kDone, kGivenUp };
  Kind kind = Kind::kWait;
  Setting setting = {};  // of a trial
  std::string reason;
};

// `ranks`: of the trial that would begin. Pure: the same plan and history give the same answer.
Next next(const Plan& plan, const History& history, int ranks);

// Why trials that are open are to be stopped; none: they go on. Pure.
std::optional<std::string> spent(const Plan& plan, const History& history);

// Trials that fail one after another, after which a sweep begins none any more.
inline constexpr int kMostFailures = 10;

}  // namespace prefixmem::sweep
