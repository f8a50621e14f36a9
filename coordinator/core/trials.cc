#include "coordinator/core/trials.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/id.h"
#include "common/proto/job_state.h"
#include "common/proto/spec_proto.h"
#include "common/proto/sweep_state.h"
#include "common/proto/timestamps.h"
#include "common/spec/enums.h"
#include "common/spec/search.h"
#include "common/spec/spec_io.h"
#include "coordinator/sweep/decide.h"
#include "coordinator/sweep/results.h"

namespace prefixmem {
namespace {

using sweep::TrialState;

TrialState state_of(v1::JobState state) {
  switch (state) {
    case v1::JOB_STATE_SUCCEEDED:
      return TrialState::kFinished;
    case v1::JOB_STATE_CANCELLED:
      return TrialState::kStopped;
    case v1::JOB_STATE_FAILED:
      return TrialState::kFailed;
    default:
      return TrialState::kOpen;
  }
}

v1::GoalSpec goal_to_proto(const GoalSpec& goal) {
  v1::GoalSpec shown;
  shown.set_metric(goal.metric);
  shown.set_mode(std::string(spec::spelling(goal.mode)));
  return shown;
}

GoalSpec goal_from_proto(const v1::GoalSpec& shown) {
  return {.metric = shown.metric(),
          .mode = spec::from_spelling<GoalSpec::Mode>(shown.mode()).value_or(GoalSpec::Mode::kMax)};
}

Status add_plan(const JobSpec& spec, LiveSweep& live) {
  live.spec = spec;
  PM_ASSIGN(live.plan, sweep::plan_of(spec));
  return {};
}

Advance ended(v1::SweepState state, std::string reason) {
  Advance step;
  step.state = state;
  step.reason = std::move(reason);
  return step;
}

// All trials of a grid are jobs from the beginning.
Advance advance_grid(const LiveSweep& sweep) {
  const auto& trials = sweep.history.trials;
  const bool open = std::any_of(trials.begin(), trials.end(), [](const sweep::Trial& trial) {
    return trial.state == TrialState::kOpen;
  });
  if (open) return {};
  return ended(v1::SWEEP_STATE_FINISHED, fmt::format("all {} trials have ended", trials.size()));
}

sweep::Outcome outcome_of(const v1::Job& job, const std::string& metric) {
  const sweep::Trial trial = trial_of(job, metric);
  const double seconds = job.progress().wall_seconds();
  const int shared_by = std::max(job.gang_jobs(), 1);
  return {.job_id = job.id(),
          .setting = sweep_settings(job.spec()),
          .state = trial.state,
          .score = score(trial),
          .cost = {trial.tokens, seconds, seconds * job.ranks() / shared_by}};
}

v1::SweepCost cost_of(const sweep::Cost& cost) {
  v1::SweepCost shown;
  shown.set_tokens(cost.tokens);
  shown.set_seconds(cost.seconds);
  shown.set_device_seconds(cost.device_seconds);
  return shown;
}

v1::SettingResult setting_result(const sweep::Group& group, const std::vector<v1::Job>& jobs) {
  v1::SettingResult shown;
  shown.mutable_setting()->insert(group.setting.begin(), group.setting.end());
  if (group.mean) shown.set_mean(*group.mean);
  if (group.sd) shown.set_sd(*group.sd);
  for (const size_t member : group.members) {
    add_to(*shown.mutable_trials(), jobs[member].state(), 1);
  }
  shown.set_best_job_id(group.best_job);
  *shown.mutable_cost() = cost_of(group.cost);
  return shown;
}

}  // namespace

LiveJob new_job(const JobSpec& spec, const std::string& sweep_id, int trial, WallTime now) {
  LiveJob job;
  v1::Job& shown = job.record.job;
  shown.set_id(new_id("job"));
  shown.set_name(spec.name);
  shown.set_sweep_id(sweep_id);
  *shown.mutable_spec() = job_spec_to_proto(spec);
  shown.set_ranks(static_cast<int>(spec.resources.ranks));
  shown.set_state(v1::JOB_STATE_QUEUED);
  shown.set_reason("submitted");
  *shown.mutable_create_time() = to_timestamp(now);
  if (trial > 0) shown.mutable_trial()->set_number(trial);
  return job;
}

sweep::Trial trial_of(const v1::Job& job, const std::string& metric) {
  const v1::Trial& known = job.trial();
  sweep::Trial trial{.number = known.number(),
                     .setting = {known.setting().begin(), known.setting().end()},
                     .state = state_of(job.state()),
                     .reports = {},
                     .rungs = {known.rungs().begin(), known.rungs().end()},
                     .tokens = job.progress().tokens(),
                     .ranks = job.ranks()};
  for (const v1::EvalEvent& eval : job.progress().evals()) {
    if (eval.metric() == metric) trial.reports.push_back({eval.step(), eval.value()});
  }
  std::stable_sort(trial.reports.begin(), trial.reports.end(),
                   [](const sweep::Report& a, const sweep::Report& b) { return a.step < b.step; });
  return trial;
}

Result<LiveSweep> new_sweep(const JobSpec& spec, WallTime now) {
  v1::Sweep shown;
  shown.set_id(new_id("sweep"));
  shown.set_name(spec.name);
  *shown.mutable_spec() = job_spec_to_proto(spec);
  shown.set_state(v1::SWEEP_STATE_RUNNING);
  shown.set_reason("submitted");
  *shown.mutable_create_time() = to_timestamp(now);
  *shown.mutable_goal() = goal_to_proto(spec::goal_of(spec));
  LiveSweep live{.shown = std::move(shown), .goal = spec::goal_of(spec)};
  if (spec.sweep->is_search()) PM_TRY(add_plan(spec, live));
  return live;
}

Result<LiveSweep> restored_sweep(v1::Sweep stored, const std::vector<v1::Job>& jobs) {
  LiveSweep live{.shown = std::move(stored), .goal = {}};
  live.goal = goal_from_proto(live.shown.goal());
  if (!live.shown.spec().sweep().space().empty()) {
    const auto spec = job_spec_from_proto(live.shown.spec());
    const Status planned = spec.ok() ? add_plan(*spec, live) : spec.status();
    PM_TRY(planned.with_context("store: " + live.shown.id()));
  }
  for (const v1::Job& job : jobs) live.history.trials.push_back(trial_of(job, live.goal.metric));
  return live;
}

Advance advance(LiveSweep& sweep, WallTime now) {
  if (!sweep.plan) return advance_grid(sweep);
  sweep.history.seconds = to_seconds(now - from_timestamp(sweep.shown.create_time()));
  Advance step;
  step.stop_open = sweep::spent(*sweep.plan, sweep.history);
  const int ranks = static_cast<int>(sweep.spec.resources.ranks);
  while (true) {
    sweep::Next next = sweep::next(*sweep.plan, sweep.history, ranks);
    if (next.kind == sweep::Next::Kind::kWait) return step;
    if (next.kind != sweep::Next::Kind::kTrial) {
      step.state =
          next.kind == sweep::Next::Kind::kDone ? v1::SWEEP_STATE_FINISHED : v1::SWEEP_STATE_FAILED;
      step.reason = std::move(next.reason);
      return step;
    }
    const int number = static_cast<int>(sweep.history.trials.size()) + 1;
    const auto spec = make_trial(sweep.spec, next.setting, number);
    if (!spec.ok()) {
      step.state = v1::SWEEP_STATE_FAILED;
      step.reason = fmt::format("trial {}: {}", number, spec.status().message());
      return step;
    }
    LiveJob job = new_job(*spec, sweep.shown.id(), number, now);
    job.record.job.mutable_trial()->mutable_setting()->insert(next.setting.begin(),
                                                              next.setting.end());
    sweep.history.trials.push_back(trial_of(job.record.job, sweep.goal.metric));
    step.begun.push_back(std::move(job));
  }
}

v1::SweepResults results_of(v1::Sweep sweep, const std::vector<v1::Job>& jobs) {
  const GoalSpec goal = goal_from_proto(sweep.goal());
  std::vector<sweep::Outcome> outcomes;
  for (const v1::Job& job : jobs) outcomes.push_back(outcome_of(job, goal.metric));
  const auto groups = sweep::group_by_setting(goal, outcomes);
  v1::SweepResults results;
  *results.mutable_sweep() = std::move(sweep);
  for (const sweep::Group& group : groups) {
    *results.add_settings() = setting_result(group, jobs);
  }
  *results.mutable_cost() = cost_of(total(groups));
  return results;
}

}  // namespace prefixmem
