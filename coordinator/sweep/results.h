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
  GoalSpec goal = {};
  std::string method = {};      // as people call it
  std::string trained_on = {};  // benchmark; empty: none
  std::string tested_on = {};   // the same where it is not tested on another
  bool test = false;            // of a setting that a search has found
  bool choosing = false;        // of a search that tests what it finds: no score to be compared
  Setting setting = {};         // seeds included
  Setting chosen = {};          // the part of it that was chosen among others
  TrialState state = TrialState::kOpen;
  std::optional<double> score = {};
  Cost cost = {};

  bool counts() const { return state == TrialState::kFinished && score.has_value(); }
};

// Trials that differ in nothing but seeds.
struct Group {
  Setting setting = {};              // without seeds
  GoalSpec goal = {};                // of the first
  std::vector<size_t> members = {};  // indices of the outcomes
  std::optional<double> mean = {};   // over the finished ones
  std::optional<double> sd = {};     // of the sample; none below two
  std::string best_job = {};         // id of the finished one with the best score
  Cost cost = {};
};

// The best mean first, those without one last, in the order of their first trials. Pure.
std::vector<Group> group_by_setting(const std::vector<Outcome>& outcomes);

void add(const Cost& cost, Cost& sum);
Cost total(const std::vector<Group>& groups);

// The part of a setting that says with which seeds a trial runs, and the rest.
Setting seeds_in(const Setting& setting);
Setting without_seeds(Setting setting);

struct Spread {
  std::optional<double> mean = {};
  std::optional<double> sd = {};  // of the sample; none below two
};
Spread spread(const std::vector<double>& values);

}  // namespace prefixmem::sweep
