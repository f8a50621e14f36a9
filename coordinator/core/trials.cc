#include "coordinator/core/trials.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/content/job_name.h"
#include "common/id.h"
#include "common/proto/job_state.h"
#include "common/proto/spec_proto.h"
#include "common/proto/sweep_state.h"
#include "common/proto/timestamps.h"
#include "common/spec/enums.h"
#include "common/spec/search.h"
#include "common/spec/search_scope.h"
#include "common/spec/spec_io.h"
#include "coordinator/sweep/decide.h"
#include "coordinator/sweep/pbt.h"

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

// The goal that all have; where they differ one without a metric.
GoalSpec common_goal(const std::vector<GoalSpec>& goals) {
  GoalSpec common;
  for (const GoalSpec& goal : goals) {
    if (&goal == &goals.front()) common = goal;
    if (goal.metric != common.metric || goal.mode != common.mode) return {};
  }
  return common;
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
  const auto& trials = sweep.record.runs();
  const bool open = std::any_of(trials.begin(), trials.end(), [](const sweep::Run& run) {
    return run.state == TrialState::kOpen;
  });
  if (open) return {};
  return ended(v1::SWEEP_STATE_FINISHED, fmt::format("all {} trials have ended", trials.size()));
}

std::optional<int64_t> seed_of(const SweepSpec& sweep, const sweep::Run& run) {
  const std::vector<int64_t>& seeds = run.test ? sweep.test->seeds.values : sweep.seeds.values;
  if (seeds.empty()) return std::nullopt;
  return seeds.at(run.place.seed);
}

Result<LiveJob> job_of(const LiveSweep& sweep, const sweep::Run& run, const Origin& origin) {
  const SweepSpec& spec = sweep.plan.sweep;
  const Setting& combination = sweep.plan.combinations.at(run.place.combination);
  PM_ASSIGN(JobSpec trial,
            make_trial(sweep.spec, spec::whole_setting(spec, combination, run.setting, run.test),
                       run.number, seed_of(spec, run)));
  const sweep::Plan& plan =
      sweep.plan.searches.at(sweep.plan.search_of.at(run.place.combination)).plan;
  const auto last_step = sweep::last_step(plan, run.candidate);
  if (last_step) trial.train.max_steps = last_step;
  if (run.parent > 0) {
    trial.train.continue_from =
        std::string(kJobScheme) + sweep.jobs.at(static_cast<size_t>(run.parent - 1));
  }
  LiveJob job = new_job(trial, sweep.shown.id(), run.number, origin);
  job.record.job.set_tenant(sweep.shown.tenant());
  v1::Trial& shown = *job.record.job.mutable_trial();
  shown.mutable_setting()->insert(run.setting.begin(), run.setting.end());
  shown.set_combination(static_cast<int>(run.place.combination));
  shown.set_candidate(run.candidate);
  shown.set_seed_index(static_cast<int>(run.place.seed));
  shown.set_test(run.test);
  shown.set_member(run.member);
  shown.set_parent(run.parent);
  return job;
}

}  // namespace

LiveJob new_job(const JobSpec& spec, const std::string& sweep_id, int trial, const Origin& origin) {
  LiveJob job;
  v1::Job& shown = job.record.job;
  shown.set_id(new_id("job", origin.random));
  shown.set_name(spec.name);
  shown.set_sweep_id(sweep_id);
  *shown.mutable_spec() = job_spec_to_proto(spec);
  shown.set_ranks(static_cast<int>(spec.resources.ranks));
  shown.set_state(v1::JOB_STATE_QUEUED);
  shown.set_reason("submitted");
  *shown.mutable_create_time() = to_timestamp(origin.now);
  if (trial > 0) shown.mutable_trial()->set_number(trial);
  return job;
}

GoalSpec goal_of(const v1::Sweep& sweep, const v1::Job& job) {
  const v1::SweepSpec& given = sweep.spec().sweep();
  if (given.has_goal()) return goal_from_proto(given.goal());
  const v1::EvalSpec& shown = job.spec().eval();
  JobSpec trial;
  trial.eval.mode = spec::from_spelling<EvalMode>(shown.mode()).value_or(EvalMode::kLoss);
  if (shown.has_metric()) trial.eval.metric = spec::from_spelling<Metric>(shown.metric());
  return spec::trial_goal({}, trial);
}

sweep::Run run_of(const v1::Job& job, const GoalSpec& goal) {
  const v1::Trial& known = job.trial();
  const int candidate = known.candidate() > 0 || known.test() ? known.candidate() : known.number();
  sweep::Run run{
      .number = known.number(),
      .place = {static_cast<size_t>(known.combination()), static_cast<size_t>(known.seed_index())},
      .candidate = candidate,
      .member = known.member(),
      .parent = known.parent(),
      .test = known.test(),
      .setting = {known.setting().begin(), known.setting().end()},
      .state = state_of(job.state()),
      .rungs = {known.rungs().begin(), known.rungs().end()},
      .tokens = job.progress().tokens(),
      .ranks = static_cast<int>(job.spec().resources().ranks())};  // that it may come to have
  for (const v1::EvalEvent& eval : job.progress().evals()) {
    if (eval.metric() == goal.metric) run.reports.push_back({eval.step(), eval.value()});
  }
  std::stable_sort(run.reports.begin(), run.reports.end(),
                   [](const sweep::Report& a, const sweep::Report& b) { return a.step < b.step; });
  return run;
}

void note(const v1::Job& job, LiveSweep& sweep) {
  sweep.record.put(sweep.plan, run_of(job, goal_of(sweep.shown, job)));
  const auto number = static_cast<size_t>(job.trial().number());
  if (sweep.jobs.size() < number) sweep.jobs.resize(number);
  sweep.jobs[number - 1] = job.id();
  sweep.changed = true;
}

Result<LiveSweep> new_sweep(const JobSpec& spec, const Origin& origin) {
  LiveSweep live;
  v1::Sweep& shown = live.shown;
  shown.set_id(new_id("sweep", origin.random));
  shown.set_name(spec.name);
  *shown.mutable_spec() = job_spec_to_proto(spec);
  shown.set_state(v1::SWEEP_STATE_RUNNING);
  shown.set_reason("submitted");
  *shown.mutable_create_time() = to_timestamp(origin.now);
  if (spec.sweep->is_search()) {
    PM_TRY(add_plan(spec, live));
    *shown.mutable_goal() = goal_to_proto(common_goal(live.plan.goals));
  }
  return live;
}

void add_grid(const std::vector<LiveJob>& jobs, LiveSweep& sweep) {
  std::vector<GoalSpec> goals;
  for (const LiveJob& job : jobs) {
    goals.push_back(goal_of(sweep.shown, job.record.job));
    note(job.record.job, sweep);
  }
  *sweep.shown.mutable_goal() = goal_to_proto(common_goal(goals));
}

Result<LiveSweep> restored_sweep(v1::Sweep stored, const std::vector<v1::Job>& jobs) {
  LiveSweep live{.shown = std::move(stored)};
  if (!live.shown.spec().sweep().space().empty()) {
    const auto spec = job_spec_from_proto(live.shown.spec());
    const Status planned = spec.ok() ? add_plan(*spec, live) : spec.status();
    PM_TRY(planned.with_context("store: " + live.shown.id()));
  }
  for (const v1::Job& job : jobs) note(job, live);
  return live;
}

Advance advance(LiveSweep& sweep, const Origin& origin) {
  const bool timed = sweep.is_search() && sweep.plan.sweep.budget.seconds > 0;
  if (!std::exchange(sweep.changed, false) && !timed) return {};
  if (!sweep.is_search()) return advance_grid(sweep);
  sweep.record.seconds = to_seconds(origin.now - from_timestamp(sweep.shown.create_time()));
  Advance step;
  step.stop_open = sweep::spent(sweep.plan, sweep.record);
  const int ranks = static_cast<int>(sweep.spec.resources.ranks);
  while (true) {
    sweep::Next next = sweep::next(sweep.plan, sweep.record, ranks);
    if (next.kind == sweep::Next::Kind::kWait) return step;
    if (next.kind != sweep::Next::Kind::kTrial) {
      step.state =
          next.kind == sweep::Next::Kind::kDone ? v1::SWEEP_STATE_FINISHED : v1::SWEEP_STATE_FAILED;
      step.reason = std::move(next.reason);
      return step;
    }
    auto job = job_of(sweep, next.run, origin);
    if (!job.ok()) {
      step.state = v1::SWEEP_STATE_FAILED;
      step.reason = fmt::format("trial {}: {}", next.run.number, job.status().message());
      return step;
    }
    note(job->record.job, sweep);
    step.begun.push_back(std::move(job).value());
  }
}

}  // namespace prefixmem
