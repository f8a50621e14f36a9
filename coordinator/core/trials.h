// Between sweeps and jobs: what the sweep's decisions see of a job, and the jobs that follow from
// them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/id.h"
#include "coordinator/core/live.h"

namespace prefixmem {

// When a job or a sweep is made, and what its id is drawn from.
struct Origin {
  WallTime now;
  const RandomBits& random;
};

// A queued job that nobody has heard of yet. `trial`: its number in its sweep, 0 outside one.
LiveJob new_job(const JobSpec& spec, const std::string& sweep_id, int trial, const Origin& origin);

// What the sweep compares the job by: its own goal, or what the job's evaluation reports.
GoalSpec goal_of(const v1::Sweep& sweep, const v1::Job& job);

// As the sweep's decisions see the job.
sweep::Run run_of(const v1::Job& job, const GoalSpec& goal);
// The job as it stands, from now on.
void note(const v1::Job& job, LiveSweep& sweep);

// A sweep that has just been submitted; its record is empty. INVALID_ARGUMENT.
Result<LiveSweep> new_sweep(const JobSpec& spec, const Origin& origin);
// All trials of a grid, which begin together.
void add_grid(const std::vector<LiveJob>& jobs, LiveSweep& sweep);
// The same from the store, with the jobs that it has.
Result<LiveSweep> restored_sweep(v1::Sweep stored, const std::vector<v1::Job>& jobs);

// What a sweep does now.
struct Advance {
  // Of a search, already in the record; train.continue_from is the job:// of another trial.
  std::vector<LiveJob> begun = {};
  v1::SweepState state = v1::SWEEP_STATE_RUNNING;       // from now on
  std::string reason = {};                              // of an end
  std::optional<std::string> stop_open = std::nullopt;  // why trials that run are to stop
};
Advance advance(LiveSweep& sweep, const Origin& origin);

}  // namespace prefixmem
