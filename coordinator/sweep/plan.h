// What a sweep was asked for.
#pragma once

#include <string>
#include <vector>

#include "common/spec/job_spec.h"
#include "common/spec/search.h"
#include "common/status.h"

namespace prefixmem::sweep {

// Of one search: a setting is looked for in `space`. Constant while the sweep goes on.
struct Plan {
  std::string name;
  SearchSpec search = RandomSearch{};
  SearchSpace space = {};
  int64_t seed = 0;
  int64_t settings = 20;  // most that are tried; of pbt the members
  int64_t steps = 0;      // of a whole trial, where train.max_steps says it
  GoalSpec goal = {};
  std::vector<std::string> order = {};  // of the space's keys (spec::decision_order)

  bool stops_early() const { return spec::stops_early(search); }
};

// A job that tries a setting: one combination of grid and trials with one seed.
struct Place {
  size_t combination = 0;
  size_t seed = 0;  // index in sweep.seeds, or in those of sweep.test
  bool operator==(const Place&) const = default;
};

// A search and the jobs in which each of its settings is tried.
struct Search {
  Plan plan;
  std::vector<Place> tried;   // every setting, in this order
  std::vector<Place> tested;  // with sweep.test the setting found
  bool choosing = true;  // false: there is one setting alone; with sweep.test it is only tested
};

// A whole sweep.
struct SweepPlan {
  SweepSpec sweep;
  std::vector<Setting> combinations = {};
  std::vector<GoalSpec> goals = {};    // of each combination
  std::vector<size_t> search_of = {};  // each combination
  std::vector<Search> searches = {};
};

// Of a valid spec with sweep.space. INVALID_ARGUMENT.
Result<SweepPlan> plan_of(const JobSpec& spec);

// A value of the goal's metric as something to be made small; NaN is worst.
double loss(const GoalSpec& goal, double value);

}  // namespace prefixmem::sweep
