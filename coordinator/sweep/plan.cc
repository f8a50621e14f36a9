#include "coordinator/sweep/plan.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/spec/search_scope.h"
#include "common/spec/search_space.h"
#include "common/spec/spec_io.h"

namespace prefixmem::sweep {
namespace {

// A combination as it is whatever a search chooses; of a key that must be chosen one of its values.
Result<JobSpec> example(const JobSpec& spec, const spec::Scope& scope, const Plan& plan,
                        const Setting& combination) {
  PM_ASSIGN(const Setting chosen, spec::first_setting(scope.space, plan.order));
  const bool test = spec.sweep->test.has_value();
  return make_trial(spec, spec::whole_setting(*spec.sweep, combination, chosen, test), 1);
}

// Method none is the same with every seed.
void add_places(const JobSpec& trial, size_t combination, size_t seeds,
                std::vector<Place>& places) {
  if (std::holds_alternative<NoMethod>(trial.method)) seeds = 1;
  for (size_t seed = 0; seed < seeds; ++seed) places.push_back({combination, seed});
}

Result<Search> search_of(const JobSpec& spec, const spec::Scope& scope, SweepPlan& whole) {
  const SweepSpec& sweep = *spec.sweep;
  Search search;
  Plan& plan = search.plan;
  plan.name = spec.name;
  plan.search = sweep.search;
  plan.space = scope.space;
  plan.seed = sweep.seed;
  plan.settings = sweep.budget.trials;
  PM_ASSIGN(plan.order, spec::decision_order(scope.space));
  search.choosing = !plan.order.empty();
  if (!search.choosing) plan.settings = sweep.test ? 0 : 1;
  for (const size_t combination : scope.combinations) {
    PM_ASSIGN(const JobSpec trial, example(spec, scope, plan, whole.combinations[combination]));
    whole.goals[combination] = spec::trial_goal(sweep, trial);
    const bool tuned = std::find(scope.tuned_on.begin(), scope.tuned_on.end(), combination) !=
                       scope.tuned_on.end();
    if (tuned && search.tried.empty()) {
      plan.goal = whole.goals[combination];
      plan.steps = trial.train.max_steps.value_or(0);
    }
    const size_t seeds = std::max<size_t>(1, sweep.seeds.values.size());
    if (tuned) add_places(trial, combination, seeds, search.tried);
    if (sweep.test) {
      add_places(trial, combination, sweep.test->seeds.values.size(), search.tested);
    }
  }
  return search;
}

}  // namespace

Result<SweepPlan> plan_of(const JobSpec& spec) {
  if (!spec.sweep) return invalid_argument("sweep is missing; required for a search");
  SweepPlan whole{.sweep = *spec.sweep};
  PM_ASSIGN(whole.combinations, spec::combinations_of(*spec.sweep));
  PM_ASSIGN(const auto scopes, spec::scopes_of(*spec.sweep, whole.combinations));
  whole.goals.resize(whole.combinations.size());
  whole.search_of.resize(whole.combinations.size());
  for (const spec::Scope& scope : scopes) {
    for (const size_t one : scope.combinations) whole.search_of[one] = whole.searches.size();
    PM_ASSIGN(Search search, search_of(spec, scope, whole));
    whole.searches.push_back(std::move(search));
  }
  return whole;
}

double loss(const GoalSpec& goal, double value) {
  if (std::isnan(value)) return std::numeric_limits<double>::infinity();
  return goal.mode == GoalSpec::Mode::kMax ? -value : value;
}

}  // namespace prefixmem::sweep
