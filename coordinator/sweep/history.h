// What a search knows of the settings that it has tried: all that its choices follow from, besides
// the plan.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/spec/job_spec.h"

namespace prefixmem::sweep {

enum class TrialState { kOpen, kFinished, kStopped, kFailed };

// An evaluation of the goal's metric.
struct Report {
  int64_t step = 0;
  double value = 0;
};

// A setting that is tried, in one job or several (record.h).
struct Trial {
  int number = 1;  // from 1, in the order chosen
  Setting setting = {};
  TrialState state = TrialState::kOpen;
  std::vector<Report> reports = {};  // by step
  std::vector<double> rungs = {};    // the value with which it came to each rung
};

struct History {
  std::vector<Trial> trials = {};  // by number, without gaps
};

// The newest report.
std::optional<double> score(const Trial& trial);

}  // namespace prefixmem::sweep
