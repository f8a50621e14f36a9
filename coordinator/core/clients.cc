// What clients ask for, and the files that workers bring for them.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/proto/job_state.h"
#include "common/proto/memory_proto.h"
#include "common/proto/spec_proto.h"
#include "common/proto/timestamps.h"
#include "common/sha256.h"
#include "common/spec/spec_io.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/core/find_job.h"
#include "coordinator/core/memory.h"
#include "coordinator/core/progress.h"
#include "coordinator/core/trials.h"

namespace prefixmem {
namespace {

v1::JobEvent submitted_event(const v1::Job& job) {
  v1::JobEvent event;
  event.set_job_id(job.id());
  event.set_number(1);
  *event.mutable_time() = job.create_time();
  event.mutable_state()->set_state(job.state());
  event.mutable_state()->set_reason(job.reason());
  return event;
}

// A job by itself, all trials of a grid, or those that a search begins with.
Result<std::vector<LiveJob>> first_jobs(const JobSpec& spec, std::optional<LiveSweep>& sweep,
                                        const Origin& origin) {
  if (sweep && sweep->is_search()) {
    Advance step = advance(*sweep, origin);
    if (!step.begun.empty()) return std::move(step.begun);
    return invalid_argument(step.reason);
  }
  PM_ASSIGN(const std::vector<JobSpec> specs, expand_sweep(spec));
  std::vector<LiveJob> jobs;
  for (const JobSpec& one : specs) {
    const int trial = sweep ? static_cast<int>(jobs.size()) + 1 : 0;
    jobs.push_back(new_job(one, sweep ? sweep->shown.id() : "", trial, origin));
  }
  if (sweep) add_grid(jobs, *sweep);
  return jobs;
}

// Of those whose model is known.
Result<google::protobuf::RepeatedPtrField<v1::JobMemory>> estimates_of(
    const std::vector<LiveJob>& jobs, const ToldModels& told, ModelConfigs& models) {
  google::protobuf::RepeatedPtrField<v1::JobMemory> all;
  for (const LiveJob& job : jobs) {
    PM_ASSIGN(const JobSpec spec, job_spec_from_proto(job.record.job.spec()));
    models.of(spec.model);  // reads it, where it is kept
    const auto model = find_model(spec.model, told, models);
    if (!model) continue;
    PM_ASSIGN(*all.Add(), job_memory(spec, *model));
  }
  return all;
}

// Without the tenant that kept_key puts before it.
std::string given_key(const std::string& kept) { return kept.substr(kept.find('\n') + 1); }

// Under which a submission is kept: keys of one tenant are not those of another.
std::string kept_key(const std::string& idempotency_key, const std::string& tenant) {
  const bool plain = idempotency_key.empty() || tenant == auth::kDefaultTenant;
  return plain ? idempotency_key : tenant + '\n' + idempotency_key;
}

}  // namespace

Status Coordinator::check_key(const std::string& idempotency_key) {
  constexpr size_t kMostBytes = 128;
  if (idempotency_key.size() <= kMostBytes) return {};
  return invalid_argument(fmt::format("idempotency_key has {} bytes; allowed: at most {}",
                                      idempotency_key.size(), kMostBytes));
}

Result<Coordinator::Planned> Coordinator::plan(const JobSpec& submitted, const std::string& tenant,
                                               const ToldModels& told) {
  Planned planned;
  planned.told = told;
  PM_ASSIGN(planned.spec, with_content_of_names(submitted, planned.inputs));
  const Origin origin{environment_.clock.wall(), environment_.random};
  if (planned.spec.sweep) {
    PM_ASSIGN(planned.sweep, new_sweep(planned.spec, origin));
    planned.sweep->shown.set_tenant(tenant);
    if (planned.sweep->is_search()) planned.sweep->told = told;  // a grid begins nothing later
  }
  PM_ASSIGN(planned.jobs, first_jobs(planned.spec, planned.sweep, origin));
  for (LiveJob& job : planned.jobs) job.record.job.set_tenant(tenant);
  // For trials to come, which are not to wait for it.
  for (const auto& [key, value] : planned.inputs) {
    if (key == "model") models_.of(value);
  }
  predict_memory(planned.jobs, config_.scheduler, told, models_);
  return planned;
}

Result<v1::SubmitJobResponse> Coordinator::submit(const JobSpec& submitted,
                                                  const std::string& idempotency_key,
                                                  const std::string& tenant,
                                                  const ToldModels& told) {
  Result<Planned> planned = plan(submitted, tenant, told);
  const store::Submission submission{.idempotency_key = kept_key(idempotency_key, tenant),
                                     .spec_sha256 = sha256_hex(to_yaml(submitted)),
                                     .sweep_id = {},
                                     .job_id = {}};
  Result<store::Submission> accepted = submission;
  int64_t batch = 0;
  {
    const MutexLock lock(mutex_);
    PM_TRY(Status(failure_));
    accepted = accept(planned, submission);
    batch = journal_.number();
  }
  PM_TRY(make_durable(batch));  // what a refusal rests on, too
  PM_TRY(accepted.status());
  return jobs_of(*accepted);
}

Result<v1::CheckJobResponse> Coordinator::check_job(const JobSpec& submitted,
                                                    const std::string& idempotency_key,
                                                    const std::string& tenant,
                                                    const ToldModels& told, bool memory) {
  Result<Planned> planned = plan(submitted, tenant, told);
  v1::CheckJobResponse response;
  if (memory && planned.ok()) {
    PM_ASSIGN(*response.mutable_memory(), estimates_of(planned->jobs, told, models_));
  }
  const MutexLock lock(mutex_);
  PM_TRY(Status(failure_));
  PM_ASSIGN(const auto earlier, earlier_submission(kept_key(idempotency_key, tenant)));
  if (earlier) {
    if (!live_.unwritten_submissions.contains(earlier->idempotency_key)) {
      PM_TRY(jobs_of(*earlier).status());
    }
    return v1::CheckJobResponse();
  }
  PM_TRY(planned.status());
  PM_TRY(complete(*planned));
  response.set_jobs(static_cast<int>(planned->jobs.size()));
  return response;
}

Status Coordinator::complete(Planned& planned) {
  PM_TRY(check_inputs(planned.inputs));
  PM_TRY(check_quota(planned.jobs));
  PM_TRY(check_memory(planned.jobs, planned.told));
  return name_dependencies(planned.jobs, planned.sweep);
}

// A repeated submission is answered as the first was, whatever has become of what it names.
Result<store::Submission> Coordinator::accept(Result<Planned>& planned,
                                              store::Submission submission) {
  PM_ASSIGN(auto earlier, earlier_submission(submission.idempotency_key));
  if (earlier) {
    if (earlier->spec_sha256 == submission.spec_sha256) return *std::move(earlier);
    return failed_precondition(
        fmt::format("idempotency_key \"{}\" was used for another spec (first job {})",
                    given_key(earlier->idempotency_key), earlier->job_id));
  }
  PM_TRY(planned.status());
  PM_TRY(complete(*planned));
  submission.sweep_id = planned->sweep ? planned->sweep->shown.id() : "";
  submission.job_id = planned->jobs.front().record.job.id();
  PM_TRY(insert(planned->jobs, submission, std::move(planned->sweep)));
  return submission;
}

Result<std::optional<store::Submission>> Coordinator::earlier_submission(
    const std::string& idempotency_key) {
  if (idempotency_key.empty()) return std::optional<store::Submission>();
  const auto unwritten = live_.unwritten_submissions.find(idempotency_key);
  if (unwritten != live_.unwritten_submissions.end()) return std::optional(unwritten->second);
  return reader().submission(idempotency_key);
}

Status Coordinator::insert(std::vector<LiveJob>& jobs, const store::Submission& submission,
                           std::optional<LiveSweep> sweep) {
  std::vector<LiveJob*> queued;
  for (LiveJob& job : jobs) queued.push_back(&job);
  PM_TRY(await_dependencies(queued));
  if (sweep) {
    const std::string id = sweep->shown.id();
    journal_.sweep_added(id);
    live_.sweeps.insert_or_assign(id, *std::move(sweep));
  }
  for (LiveJob& job : jobs) {
    const std::string id = job.record.job.id();
    job.record.seq = ++live_.last_seq;
    job.record.last_event = 1;
    journal_.job_added(id);
    count_queued(job, 1);
    journal_.add(submitted_event(job.record.job));
    spdlog::info("{} ({}) submitted", id, job.record.job.name());
    live_.moved.insert(id);
    tell_dependencies(live_.jobs[id] = std::move(job));
  }
  if (!submission.idempotency_key.empty()) {
    live_.unwritten_submissions[submission.idempotency_key] = submission;
    journal_.add(submission);
  }
  return {};
}

Result<v1::SubmitJobResponse> Coordinator::jobs_of(const store::Submission& submission) {
  v1::SubmitJobResponse response;
  response.set_sweep_id(submission.sweep_id);
  if (submission.sweep_id.empty()) {
    PM_ASSIGN(auto job, reader().job(submission.job_id));
    if (job) *response.add_jobs() = *std::move(job);
  } else {
    PM_ASSIGN(auto jobs, reader().trials(submission.sweep_id));
    for (v1::Job& job : jobs) *response.add_jobs() = std::move(job);
  }
  if (response.jobs_size() > 0) return response;
  return not_found(
      fmt::format("idempotency_key \"{}\" was used for job {}, which was removed; allowed: another "
                  "key",
                  given_key(submission.idempotency_key), submission.job_id));
}

Result<v1::Job> Coordinator::cancel(const std::string& id_or_name) {
  PM_ASSIGN(const v1::Job known, find_job(reader(), id_or_name));
  std::optional<v1::Job> after;
  int64_t batch = 0;
  {
    const MutexLock lock(mutex_);
    PM_TRY(Status(failure_));
    const auto found = live_.jobs.find(known.id());
    if (found != live_.jobs.end() && !has_ended(found->second.record.job.state())) {
      stop_job(found->second, kCancelledByClient);
      after = found->second.record.job;
    }
    batch = journal_.number();
  }
  PM_TRY(make_durable(batch));
  if (after) return *std::move(after);
  PM_ASSIGN(const v1::Job job, find_job(reader(), known.id()));
  return failed_precondition(
      fmt::format("job {} has already ended: {}", name_of(job), state_name(job.state())));
}

void Coordinator::stop_job(LiveJob& job, const std::string& reason) {
  if (job.attempt) {
    const bool by_client = reason == kCancelledByClient;
    stop_attempt(job, cancelled(reason), by_client ? "cancel asked for" : reason);
  } else {
    end_job(job, {scheduler::Outcome::kCancelled, Code::kOk, reason}, "");
    to_place_ = true;
  }
}

std::vector<v1::Worker> Coordinator::workers() {
  const MutexLock lock(mutex_);
  const MonotonicTime now = environment_.clock.monotonic();
  std::vector<v1::Worker> workers;
  for (const auto& [id, worker] : live_.workers) {
    workers.push_back(describe(worker, live_, now));
  }
  return workers;
}

Overview Coordinator::overview() {
  Overview overview;
  overview.workers = workers();
  const WallTime now = environment_.clock.wall();
  const MutexLock lock(mutex_);
  for (const auto& [id, job] : live_.jobs) {
    const v1::Job& shown = job.record.job;
    if (has_ended(shown.state())) continue;
    if (job.attempt) {
      overview.placed.push_back(shown);
    } else if (!job.after.empty()) {
      overview.dependents += 1;
    } else {
      overview.oldest_queued_seconds = std::max(
          overview.oldest_queued_seconds, to_seconds(now - from_timestamp(shown.create_time())));
    }
  }
  return overview;
}

void Coordinator::inspect(const std::function<void(const Live&)>& look) {
  const MutexLock lock(mutex_);
  look(live_);
}

Status Coordinator::may_upload(const v1::AttemptId& id, v1::Artifact artifact) {
  artifact.set_attempt(id.attempt());
  PM_ASSIGN(const auto same, reader().same_artifact(id.job_id(), artifact));
  if (same) return {};
  const MutexLock lock(mutex_);
  return fence(id);
}

Result<v1::Artifact> Coordinator::add_artifact(const v1::AttemptId& id, v1::Artifact artifact,
                                               const std::string& state_digest) {
  artifact.set_attempt(id.attempt());
  *artifact.mutable_create_time() = to_timestamp(environment_.clock.wall());
  PM_ASSIGN(auto same, reader().same_artifact(id.job_id(), artifact));
  int64_t batch = 0;
  {
    const MutexLock lock(mutex_);
    const Status taken = failure_.ok() ? fence(id) : failure_;
    if (same && !taken.ok()) return *std::move(same);
    PM_TRY(Status(taken));
    LiveJob& job = live_.jobs.at(id.job_id());
    const bool moved = set_state(artifact.step(), state_digest, job.record.job);
    if (same && !moved) return *std::move(same);
    if (moved) journal_.job_changed(id.job_id());
    if (!same) {
      journal_.add(id.job_id(), artifact);
      job.unwritten_files += 1;
    }
    batch = journal_.number();
  }
  PM_TRY(make_durable(batch));
  return same ? *std::move(same) : artifact;
}

Status Coordinator::fence(const v1::AttemptId& id) {
  const auto found = live_.jobs.find(id.job_id());
  if (found == live_.jobs.end() || !found->second.attempt) {
    return scheduler::fence(key_of(id), nullptr);
  }
  const scheduler::Attempt current = attempt_of(found->second);
  return scheduler::fence(key_of(id), &current);
}

}  // namespace prefixmem
