// Successive halving: which trials are stopped before their end.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coordinator/sweep/history.h"
#include "coordinator/sweep/plan.h"
#include "coordinator/sweep/record.h"

namespace prefixmem::sweep {

// What follows from a trial's newest report.
struct Verdict {
  bool stop = false;
  std::vector<double> rungs = {};  // of the trial, from now on
  std::string reason = {};         // of a stop
};

// Asynchronous successive halving (arXiv 1810.05934), without pausing: a trial that comes to a rung
// goes on if its value is among the best 1/reduction_factor of those that have come there so far
// (while fewer have, if it is the best), and is stopped otherwise. Rung r is at min_steps times
// reduction_factor^r steps. Under hyperband (arXiv 1603.06560) each trial belongs to a bracket by
// its number, bracket b begins at rung b, and trials are compared within theirs. Of the other
// searches no trial is stopped. `trial` is an index into the history; it has a report. Pure.
Verdict judge(const Plan& plan, const History& history, size_t trial);

// The same of a job that has a report; none where it is not judged (record.h).
std::optional<Verdict> judge(const SweepPlan& plan, const Record& record, const Run& run);

// Bracket of a trial, from 0; 0 where there are none.
int bracket_of(const Plan& plan, int number);

}  // namespace prefixmem::sweep
