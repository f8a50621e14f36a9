// What a sweep was asked for.
#pragma once

#include <string>
#include <vector>

#include "common/spec/job_spec.h"
#include "common/status.h"

namespace prefixmem::sweep {

// Constant while the sweep goes on.
struct Plan {
  std::string name;
  SweepSpec sweep;
  GoalSpec goal;
  std::vector<std::string> order;  // of the space's keys (spec::decision_order)
};

// Of a valid spec with sweep.space. INVALID_ARGUMENT.
Result<Plan> plan_of(const JobSpec& spec);

// A value of the goal's metric as something to be made small; NaN is worst.
double loss(const GoalSpec& goal, double value);

}  // namespace prefixmem::sweep
