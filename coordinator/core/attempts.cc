// The life of an attempt: placed, heard of, ended.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "common/memory/estimate.h"
#include "common/proto/job_state.h"
#include "common/proto/spec_proto.h"
#include "common/proto/timestamps.h"
#include "common/spec/spec_io.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/core/progress.h"

namespace prefixmem {
namespace {

v1::JobState state_after(scheduler::Outcome outcome) {
  switch (outcome) {
    case scheduler::Outcome::kSucceeded:
      return v1::JOB_STATE_SUCCEEDED;
    case scheduler::Outcome::kCancelled:
      return v1::JOB_STATE_CANCELLED;
    case scheduler::Outcome::kRetry:
    case scheduler::Outcome::kMove:
      return v1::JOB_STATE_QUEUED;
    case scheduler::Outcome::kTimedOut:
    case scheduler::Outcome::kFailed:
      break;
  }
  return v1::JOB_STATE_FAILED;
}

// The newest two checkpoints and the metrics of the steps before them, where there are any.
Status add_files_to_resume(store::Reader& reader, v1::AssignedAttempt& attempt) {
  PM_ASSIGN(auto checkpoints, reader.newest_checkpoints(attempt.id().job_id(), 2));
  if (checkpoints.empty()) return {};
  *attempt.mutable_resume_from() = std::move(checkpoints[0]);
  if (checkpoints.size() > 1) *attempt.mutable_resume_before() = std::move(checkpoints[1]);
  PM_ASSIGN(auto metrics, reader.newest_version(attempt.id().job_id(), "metrics.jsonl"));
  if (metrics) *attempt.mutable_resume_metrics() = *std::move(metrics);
  return {};
}

// Of two things asked of an attempt the higher counts: its owner's wish, its time limit, a move.
int precedence(const Status& stop) {
  switch (stop.code()) {
    case Code::kOk:
      return 0;
    case Code::kUnavailable:
      return 1;
    case Code::kCancelled:
      return 3;
    default:
      return 2;
  }
}

}  // namespace

void Coordinator::add_event(LiveJob& job, v1::JobEvent event) {
  event.set_job_id(job.record.job.id());
  event.set_number(++job.record.last_event);
  event.set_attempt(job.record.job.attempt());
  journal_.add(std::move(event));
  journal_.job_changed(job.record.job.id());
}

// The same state with the same reason is no change.
void Coordinator::move_to(LiveJob& job, v1::JobState state, const std::string& reason) {
  v1::Job& shown = job.record.job;
  if (shown.state() == state && shown.reason() == reason) return;
  live_.moved.insert(shown.id());
  count_queued(job, -1);
  shown.set_state(state);
  shown.set_reason(reason);
  count_queued(job, 1);
  v1::JobEvent event;
  *event.mutable_time() = to_timestamp(environment_.clock.wall());
  event.mutable_state()->set_state(state);
  event.mutable_state()->set_reason(reason);
  add_event(job, std::move(event));
  spdlog::info("{} ({}) {}: {}", shown.id(), shown.name(), state_name(state), reason);
}

void Coordinator::start_gang(const scheduler::Start& start) {
  std::vector<LiveJob*> jobs;
  for (const std::string& id : start.job_ids) jobs.push_back(&live_.jobs.at(id));
  const v1::Job& first = jobs.front()->record.job;
  const bool joins = !start.gang.empty();
  const std::string gang =
      joins ? start.gang : fmt::format("{}/{}", first.id(), first.attempt() + 1);
  for (LiveJob* job : jobs) start_attempt(*job, start, gang);
  count_jobs(start);
  if (!joins) environment_.metrics.gang_started(jobs.size());
  send_assignment(jobs);
}

// Each job of a gang says how many share it now.
void Coordinator::count_jobs(const scheduler::Start& start) {
  std::vector<std::string> ids = start.company;
  ids.insert(ids.end(), start.job_ids.begin(), start.job_ids.end());
  for (const std::string& id : ids) {
    live_.jobs.at(id).record.job.set_gang_jobs(static_cast<int>(ids.size()));
    journal_.job_changed(id);
  }
}

void Coordinator::start_attempt(LiveJob& job, const scheduler::Start& start,
                                const std::string& gang) {
  const WallTime now = environment_.clock.wall();
  v1::Job& shown = job.record.job;
  shown.set_attempt(shown.attempt() + 1);
  shown.set_worker_id(start.worker_id);
  shown.set_gang(gang);
  shown.set_ranks(start.ranks);
  shown.set_slots(start.slots);
  set_hosts(shown, start.seats);
  job.gone.clear();
  if (!shown.has_start_time()) {
    *shown.mutable_start_time() = to_timestamp(now);
    environment_.metrics.job_started(to_seconds(now - from_timestamp(shown.create_time())));
  }
  live_.place(job, {.job_id = shown.id(),
                    .attempt = shown.attempt(),
                    .worker_id = start.worker_id,
                    .gang = gang,
                    .start = now});
  begin_clock(job, environment_.clock.monotonic());
  unsettle(job);
  move_to(job, v1::JOB_STATE_STARTING, start.reason);
}

void Coordinator::begin_clock(LiveJob& job, MonotonicTime began) {
  job.began = began;
  live_.gangs_changed(job);  // they tell when it ends
  const scheduler::TimeLimit limit = time_limit_of(job.record);
  if (!limit.text.empty()) live_.deadlines[job.record.job.id()] = began + limit.left;
}

void Coordinator::unsettle(const LiveJob& job) {
  for (const scheduler::Seat& seat : seats_of(job)) {
    const auto found = live_.workers.find(seat.worker_id);
    if (found != live_.workers.end()) found->second.settled = environment_.clock.monotonic();
  }
}

void Coordinator::stop_clock(LiveJob& job) {
  unsettle(job);
  job.record.run_time += environment_.clock.monotonic() - job.began;
  live_.deadlines.erase(job.record.job.id());
}

void Coordinator::end_overdue_jobs() {
  const MonotonicTime now = environment_.clock.monotonic();
  for (const auto& [id, deadline] : live_.deadlines) {
    if (now < deadline) continue;
    LiveJob& job = live_.jobs.at(id);
    const Status over = scheduler::time_is_up(time_limit_of(job.record));
    stop_attempt(job, over, over.message());
  }
}

// One that cannot be described ends here, the others start without it.
void Coordinator::send_assignment(const std::vector<LiveJob*>& gang) {
  v1::CoordinatorMessage message;
  v1::Assign& assign = *message.mutable_assign();
  const LiveJob& first = *gang.front();
  const auto seats = seats_of(first);
  assign.set_ranks(first.record.job.ranks());
  *assign.mutable_hosts() = first.record.job.hosts();
  if (seats.size() == 1) assign.set_memory_bytes(memory_of_part(first.record.job, seats.front()));
  if (seats.size() == 1 && may_share(first.record, config_.scheduler)) {
    assign.set_gang(first.attempt->gang);
  }
  for (LiveJob* job : gang) {
    const Status status = add_to_assignment(*job, assign);
    if (!status.ok()) end_attempt(*job, status);
  }
  if (assign.attempts_size() == 0) return;
  for (const scheduler::Seat& seat : seats) journal_.send(link_of(seat.worker_id), message);
}

Status Coordinator::add_to_assignment(const LiveJob& job, v1::Assign& assign) {
  const v1::Job& shown = job.record.job;
  PM_ASSIGN(JobSpec spec, job_spec_from_proto(shown.spec()));
  // The gang is told its ranks. Older workers know neither key, and need not where it changes
  // nothing.
  spec.resources.min_ranks.reset();
  if (!memory::shards_weights(spec)) spec.resources.shard_base.reset();
  v1::AssignedAttempt attempt;
  *attempt.mutable_id() = id_of(*job.attempt);
  attempt.set_job_name(shown.name());
  attempt.set_spec_yaml(to_yaml(spec));
  if (shown.attempt() > 1) PM_TRY(add_files_to_resume(reader(), attempt));
  *assign.add_attempts() = std::move(attempt);
  return {};
}

// One whose owner wants it gone may take as long as its worker allows; a checkpoint that the job
// goes on from is worth waiting for.
void Coordinator::send_cancel(const std::string& worker_id, const v1::AttemptId& id,
                              const Status& stop) {
  v1::CoordinatorMessage message;
  *message.mutable_cancel()->mutable_id() = id;
  message.mutable_cancel()->set_reason(stop.message());
  if (stop.code() != Code::kCancelled) {
    message.mutable_cancel()->set_grace_seconds(to_seconds(scheduler::kLeaveGrace));
  }
  journal_.send(link_of(worker_id), std::move(message));
}

// What was asked for once is not asked for again.
void Coordinator::stop_attempt(LiveJob& job, const Status& stop, const std::string& said) {
  if (precedence(stop) <= precedence(job.record.stop)) return;
  job.record.stop = stop;
  const std::string& worker_id = job.attempt->worker_id;
  live_.gangs_changed(job);
  move_to(job, job.record.job.state(), fmt::format("{}; worker {} stops it", said, worker_id));
  send_cancel(worker_id, id_of(*job.attempt), stop);
}

void Coordinator::ask_to_leave(const scheduler::Leave& leave) {
  for (const std::string& id : leave.job_ids) {
    stop_attempt(live_.jobs.at(id), unavailable(leave.reason), leave.reason);
  }
}

void Coordinator::apply(LiveJob& job, const v1::SpooledEvent& spooled) {
  store::AttemptRecord& attempt = *job.attempt;
  if (job.record.job.state() == v1::JOB_STATE_STARTING) {
    const bool stopping = !job.record.stop.ok();
    move_to(job, v1::JOB_STATE_RUNNING,
            stopping ? job.record.job.reason()
                     : fmt::format("attempt {} on worker {}", attempt.attempt, attempt.worker_id));
  }
  attempt.last_event += 1;
  v1::JobEvent event;
  *event.mutable_time() = bounded(spooled.time());
  *event.mutable_trainer() = spooled.event();
  add_event(job, std::move(event));
  const v1::ArtifactEvent& artifact = spooled.event().artifact();
  if (artifact.kind() == store::kBestAdapter) {
    journal_.best_adapter_complete(job.record.job.id(), artifact.step());
  }
  apply_to_progress(spooled.event(), environment_.clock.wall(), job.record);
  judge_trial(job, spooled.event());
}

void Coordinator::end_attempt(LiveJob& job, const Status& end, const std::string& stderr_tail,
                              bool shared) {
  stop_clock(job);
  release_members(job);
  const scheduler::End how{.status = end,
                           .draining = drains(job.attempt->worker_id),
                           .shared_by = shared ? job.record.job.gang_jobs() : 1};
  auto conclusion = scheduler::conclude(attempt_of(job), how, config_.scheduler);
  job.avoid = is_of_full_disk(end) ? job.attempt->worker_id : "";
  store::AttemptRecord attempt = live_.displace(job);
  attempt.end = environment_.clock.wall();
  attempt.code = code_name(end.code());
  attempt.message = end.message();
  journal_.attempt_ended(std::move(attempt));
  to_place_ = true;
  if (conclusion.outcome == scheduler::Outcome::kRetry) job.record.retries += 1;
  if (conclusion.bank_limit > 0) job.record.bank_limit = conclusion.bank_limit;
  if (state_after(conclusion.outcome) == v1::JOB_STATE_QUEUED) {
    job.record.stop = {};
    job.record.job.set_ranks(static_cast<int>(job.record.job.spec().resources().ranks()));
    move_to(job, v1::JOB_STATE_QUEUED, conclusion.reason + resume_text(job));
  } else {
    if (conclusion.outcome == scheduler::Outcome::kTimedOut) {
      conclusion.reason += kept_text(job);
    }
    end_job(job, conclusion, stderr_tail);
  }
}

std::string Coordinator::resume_text(const LiveJob& job) {
  auto checkpoint = reader().newest_checkpoint(job.record.job.id());
  if (!checkpoint.ok() || !*checkpoint) return " from the beginning";
  return fmt::format(" from the checkpoint of step {}", (*checkpoint)->step());
}

std::string Coordinator::kept_text(const LiveJob& job) {
  auto checkpoint = reader().newest_checkpoint(job.record.job.id());
  if (!checkpoint.ok() || !*checkpoint) return "; it has left no checkpoint";
  return fmt::format("; its checkpoint of step {} is kept", (*checkpoint)->step());
}

void Coordinator::end_job(LiveJob& job, const scheduler::Conclusion& conclusion,
                          const std::string& stderr_tail) {
  const WallTime now = environment_.clock.wall();
  v1::Job& shown = job.record.job;
  *shown.mutable_end_time() = to_timestamp(now);
  if (state_after(conclusion.outcome) == v1::JOB_STATE_FAILED) {
    shown.set_failure_code(std::string(code_name(conclusion.code)));
    shown.set_stderr_tail(stderr_tail);
  }
  std::optional<double> run_seconds;
  if (shown.has_start_time()) run_seconds = to_seconds(now - from_timestamp(shown.start_time()));
  environment_.metrics.job_ended(state_name(state_after(conclusion.outcome)), shown.failure_code(),
                                 run_seconds);
  shown.mutable_progress()->clear_eta_seconds();
  move_to(job, state_after(conclusion.outcome), conclusion.reason);
  note_trial(job);
  if (live_.dependents.contains(shown.id())) to_settle_.push_back(shown);
}

}  // namespace prefixmem
