#include "coordinator/sweep/plan.h"

#include <cmath>
#include <limits>

#include "common/spec/search.h"
#include "common/spec/search_space.h"

namespace prefixmem::sweep {

Result<Plan> plan_of(const JobSpec& spec) {
  if (!spec.sweep) return invalid_argument("sweep is missing; required for a search");
  PM_ASSIGN(auto order, spec::decision_order(spec.sweep->space));
  return Plan{.name = spec.name,
              .sweep = *spec.sweep,
              .goal = spec::goal_of(spec),
              .order = std::move(order)};
}

double loss(const GoalSpec& goal, double value) {
  if (std::isnan(value)) return std::numeric_limits<double>::infinity();
  return goal.mode == GoalSpec::Mode::kMax ? -value : value;
}

}  // namespace prefixmem::sweep
