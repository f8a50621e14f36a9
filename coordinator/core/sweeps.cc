// Sweeps: trials begin as others end, and are stopped by what they report.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>

#include "common/content/job_name.h"
#include "common/proto/job_state.h"
#include "common/proto/sweep_state.h"
#include "common/proto/timestamps.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/core/find_job.h"
#include "coordinator/core/memory.h"
#include "coordinator/core/trials.h"
#include "coordinator/sweep/halving.h"

namespace prefixmem {

Status Coordinator::load_sweeps() {
  PM_ASSIGN(auto sweeps, reader().unfinished_sweeps());
  for (v1::Sweep& stored : sweeps) {
    const std::string id = stored.id();
    PM_ASSIGN(const auto jobs, reader().trials(id));
    PM_ASSIGN(LiveSweep sweep, restored_sweep(std::move(stored), jobs));
    models_.of(sweep.shown.spec().model());  // for the trials to come, which are not to wait for it
    PM_ASSIGN(const auto told, reader().told_models(id));
    PM_ASSIGN(sweep.told, told_models({told.begin(), told.end()}));
    live_.sweeps.insert_or_assign(id, std::move(sweep));
  }
  return {};
}

LiveSweep* Coordinator::sweep_of(const LiveJob& job) {
  const auto found = live_.sweeps.find(job.record.job.sweep_id());
  const bool open = found != live_.sweeps.end() && !has_ended(found->second.shown.state());
  return open ? &found->second : nullptr;
}

// What the sweep's decisions see of the job from now on.
void Coordinator::note_trial(const LiveJob& job) {
  LiveSweep* sweep = sweep_of(job);
  if (sweep != nullptr) note(job.record.job, *sweep);
}

void Coordinator::judge_trial(LiveJob& job, const v1::TrainerEvent& event) {
  LiveSweep* sweep = sweep_of(job);
  if (sweep == nullptr || !(event.has_eval() || event.has_step())) return;
  const int number = job.record.job.trial().number();
  sweep->record.count_tokens(number, job.record.job.progress().tokens());
  if (sweep->is_search() && sweep->plan.sweep.budget.tokens > 0) sweep->changed = true;
  if (!event.has_eval()) return;
  if (event.eval().metric() != goal_of(sweep->shown, job.record.job).metric) return;
  note_trial(job);
  const sweep::Run& run = sweep->record.runs().at(static_cast<size_t>(number - 1));
  const bool stopping = job.record.stop.code() == Code::kCancelled;
  if (!sweep->is_search() || stopping || run.reports.back().step != event.eval().step()) return;
  const auto verdict = sweep::judge(sweep->plan, sweep->record, run);
  if (!verdict) return;
  job.record.job.mutable_trial()->mutable_rungs()->Assign(verdict->rungs.begin(),
                                                          verdict->rungs.end());
  note_trial(job);
  if (verdict->stop) stop_job(job, std::string(kStoppedBySweep) + verdict->reason);
}

// Trials are written together with what they follow from, so that a coordinator that dies at any
// moment decides the same again.
void Coordinator::advance_sweeps() {
  const Origin origin{environment_.clock.wall(), environment_.random};
  std::vector<LiveJob> begun;
  for (auto& [id, sweep] : live_.sweeps) {
    if (has_ended(sweep.shown.state())) continue;
    Advance step = advance(sweep, origin);
    if (const Status named = name_checkpoints(step.begun); !named.ok()) {
      step = {.state = v1::SWEEP_STATE_FAILED, .reason = named.message()};
    }
    if (step.stop_open) stop_trials(id, std::string(kStoppedBySweep) + *step.stop_open);
    if (step.state != v1::SWEEP_STATE_RUNNING) end_sweep(sweep, step.state, step.reason);
    predict_memory(step.begun, config_.scheduler, sweep.told, models_);
    std::move(step.begun.begin(), step.begun.end(), std::back_inserter(begun));
  }
  if (begun.empty()) return;
  const Status status = insert(begun, {});
  if (!status.ok()) spdlog::error("sweeps: {}", status.message());
}

// A trial that goes on from another keeps the checkpoint that it began with.
Status Coordinator::name_checkpoints(std::vector<LiveJob>& begun) {
  for (LiveJob& job : begun) {
    v1::TrainSpec& train = *job.record.job.mutable_spec()->mutable_train();
    if (!names_job(train.continue_from())) continue;
    PM_ASSIGN(const JobName name, parse_job_name(train.continue_from()));
    PM_ASSIGN(const v1::Artifact checkpoint, checkpoint_of(name.job));
    journal_.add(
        store::ContentRecord{checkpoint.sha256(), checkpoint.bytes(), environment_.clock.wall()});
    train.set_continue_from(content_of(checkpoint));
  }
  return {};
}

void Coordinator::end_sweep(LiveSweep& sweep, v1::SweepState state, const std::string& reason) {
  v1::Sweep& shown = sweep.shown;
  if (has_ended(shown.state())) return;
  shown.set_state(state);
  shown.set_reason(reason);
  *shown.mutable_end_time() = to_timestamp(environment_.clock.wall());
  journal_.sweep_changed(shown.id());
  spdlog::info("{} ({}) {}: {}", shown.id(), shown.name(), state_name(state), reason);
}

void Coordinator::stop_trials(const std::string& sweep_id, const std::string& reason) {
  for (auto& [id, job] : live_.jobs) {
    const v1::Job& shown = job.record.job;
    if (shown.sweep_id() == sweep_id && !has_ended(shown.state())) stop_job(job, reason);
  }
}

Result<v1::Sweep> Coordinator::cancel_sweep(const std::string& id_or_name) {
  PM_ASSIGN(const v1::Sweep known, find_sweep(reader(), id_or_name));
  const std::string& id = known.id();
  bool open = false;
  int64_t batch = 0;
  {
    const MutexLock lock(mutex_);
    PM_TRY(Status(failure_));
    const auto found = live_.sweeps.find(id);
    open = found != live_.sweeps.end() && !has_ended(found->second.shown.state());
    if (open) {
      end_sweep(found->second, v1::SWEEP_STATE_CANCELLED, kCancelledByClient);
      stop_trials(id, kCancelledByClient);
    }
    batch = journal_.number();
  }
  PM_TRY(make_durable(batch));
  PM_ASSIGN(v1::Sweep after, find_sweep(reader(), id));
  if (open) return after;
  return failed_precondition(fmt::format("sweep {} ({}) has already ended: {}", id, after.name(),
                                         state_name(after.state())));
}

}  // namespace prefixmem
