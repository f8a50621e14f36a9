// What a sweep has found: scores and costs by setting.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coordinator/sweep/history.h"

namespace prefixmem::sweep {

struct Cost {
  int64_t tokens = 0;
  double seconds = 0;         // of wall time
  double device_seconds = 0;  // of every rank
};

// A trial as it stands.
struct Outcome {
  std::string job_id;
  Setting setting;  // seeds included
  TrialState state = TrialState::kOpen;
  std::optional<double> score;
  Cost cost;
};

// Trials that differ in nothing but seeds.
struct Group {
  Setting setting = {};              // without seeds
  std::vector<size_t> members = {};  // indices of the outcomes
  std::optional<double> mean = {};   // over the finished ones
  std::optional<double> sd = {};     // of the sample; none below two
  std::string best_job = {};         // id of the finished one with the best score
  Cost cost = {};
};

// The best mean first, those without one last, in the order of their first trials. Pure.
std::vector<Group> group_by_setting(const GoalSpec& goal, const std::vector<Outcome>& outcomes);

Cost total(const std::vector<Group>& groups);

}  // namespace prefixmem::sweep
