// Between sweeps and jobs: what the sweep's decisions see of a job, and the jobs that follow from
// them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coordinator/core/live.h"

namespace prefixmem {

// A queued job that nobody has heard of yet. `trial`: its number in its sweep, 0 outside one.
LiveJob new_job(const JobSpec& spec, const std::string& sweep_id, int trial, WallTime now);

// `metric`: what the sweep compares its trials by.
sweep::Trial trial_of(const v1::Job& job, const std::string& metric);

// A sweep that has just been submitted; its history is empty. INVALID_ARGUMENT.
Result<LiveSweep> new_sweep(const JobSpec& spec, WallTime now);
// The same from the store, with the jobs that it has.
Result<LiveSweep> restored_sweep(v1::Sweep stored, const std::vector<v1::Job>& jobs);

// What a sweep does now.
struct Advance {
  std::vector<LiveJob> begun = {};                      // of a search, already in the history
  v1::SweepState state = v1::SWEEP_STATE_RUNNING;       // from now on
  std::string reason = {};                              // of an end
  std::optional<std::string> stop_open = std::nullopt;  // why trials that run are to stop
};
Advance advance(LiveSweep& sweep, WallTime now);

// As the API shows it, from the jobs of the sweep in their order.
v1::SweepResults results_of(v1::Sweep sweep, const std::vector<v1::Job>& jobs);

}  // namespace prefixmem
