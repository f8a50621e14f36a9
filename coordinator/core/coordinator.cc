#include "coordinator/core/coordinator.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/proto/job_state.h"
#include "common/proto/sweep_state.h"
#include "common/proto/timestamps.h"
#include "coordinator/scheduler/lease.h"

namespace prefixmem {
namespace {

std::string attempt_missing(const v1::Job& job) {
  return fmt::format("store: {} is {} and its attempt {} is not there", job.id(),
                     state_name(job.state()), job.attempt());
}

}  // namespace

Coordinator::Announcer::~Announcer() {
  std::set<std::string> jobs;
  {
    const MutexLock lock(coordinator_.mutex_);
    jobs.swap(coordinator_.announced_);
  }
  coordinator_.subscriptions_.notify(jobs);
}

Result<std::unique_ptr<Coordinator>> Coordinator::start(const CoordinatorConfig& config,
                                                        Environment environment) {
  std::unique_ptr<Coordinator> coordinator(new Coordinator(config, std::move(environment)));
  PM_TRY(coordinator->load());
  return coordinator;
}

Status Coordinator::load() {
  const MutexLock lock(mutex_);
  const MonotonicTime now = environment_.clock.monotonic();
  live_.grace_end = now + config_.grace;
  last_tick_ = now;
  PM_ASSIGN(auto workers, reader().workers());
  for (v1::Worker& worker : workers) {
    const std::string id = worker.id();
    live_.workers[id] = {.info = std::move(worker), .link = nullptr, .last_heard = now};
  }
  PM_ASSIGN(auto jobs, reader().unfinished_jobs());
  for (store::JobRecord& record : jobs) {
    LiveJob job{.record = std::move(record), .attempt = {}};
    if (job.record.job.state() != v1::JOB_STATE_QUEUED) {
      PM_ASSIGN(job.attempt, reader().attempt(job.record.job.id(), job.record.job.attempt()));
      if (!job.attempt) return data_loss(attempt_missing(job.record.job));
    }
    LiveJob& live = live_.jobs[job.record.job.id()] = std::move(job);
    if (live.attempt) begin_clock(live, now);  // until its worker says for how long it has run
  }
  std::vector<LiveJob*> queued;
  for (auto& [id, job] : live_.jobs) {
    if (!job.attempt) queued.push_back(&job);
  }
  PM_TRY(await_dependencies(queued));
  PM_TRY(load_sweeps());
  PM_TRY(load_tokens());
  spdlog::info("{} unfinished jobs, {} known workers", live_.jobs.size(), live_.workers.size());
  return {};
}

Status Coordinator::flush() {
  PM_TRY(Status(failure_));
  if (journal_.empty()) return {};
  const MonotonicTime begin = environment_.clock.monotonic();
  store::Transaction transaction(environment_.store);
  journal_.write(transaction, live_);
  PM_TRY(commit(transaction, begin, journal_.events()));
  for (const std::string& id : journal_.deliver()) announce(id);
  std::erase_if(live_.jobs,
                [](const auto& entry) { return has_ended(entry.second.record.job.state()); });
  std::erase_if(live_.sweeps,
                [](const auto& entry) { return has_ended(entry.second.shown.state()); });
  return {};
}

void Coordinator::announce(const std::string& job_or_sweep) {
  announced_.insert(job_or_sweep);
  const auto job = live_.jobs.find(job_or_sweep);
  if (job == live_.jobs.end()) return;
  const std::string& sweep = job->second.record.job.sweep_id();
  if (!sweep.empty()) announced_.insert(sweep);
}

Status Coordinator::commit(store::Transaction& transaction, MonotonicTime begin, size_t events) {
  if (Status status = transaction.commit(); !status.ok()) {
    refuse_further(status);
    return failure_;
  }
  environment_.metrics.committed(to_seconds(environment_.clock.monotonic() - begin), events);
  return {};
}

// Those who ask are to ask again: the fault is not theirs, and the next process may be able to.
void Coordinator::refuse_further(const Status& failure) {
  const Status why = failure.with_context("the store does not take a write");
  failure_ = unavailable(why.message());
  spdlog::error("{}", why.message());
  environment_.on_store_failure(why);
}

void Coordinator::tick() {
  const Announcer announcer(*this);
  const MutexLock lock(mutex_);
  if (!failure_.ok()) return;
  notice_pause();
  give_up_silent_workers();
  forget_lost_workers();
  sweep_content();
  advance_sweeps();
  end_overdue_jobs();
  place_jobs();
  if (Status status = flush(); !status.ok()) spdlog::error("tick: {}", status.message());
}

void Coordinator::end_streams(const Status& why) {
  {
    const MutexLock lock(mutex_);
    for (auto& [id, worker] : live_.workers) {
      if (worker.link) worker.link->close(why);
    }
  }
  subscriptions_.notify_all();
}

void Coordinator::notice_pause() {
  const MonotonicTime now = environment_.clock.monotonic();
  const Millis pause = now - std::exchange(last_tick_, now);
  const Millis lease = config_.scheduler.lease;
  if (pause <= lease / 2) return;
  live_.grace_end = std::max(live_.grace_end, now + lease);
  spdlog::warn("stood still for {:.1f} s: no worker counts as lost for {:.1f} s", to_seconds(pause),
               to_seconds(lease));
}

void Coordinator::give_up_silent_workers() {
  const auto now = environment_.clock.monotonic();
  for (const auto& lost : scheduler::expired_leases(now, workers_of(live_), config_.scheduler)) {
    lose(live_.workers.at(lost.id), "worker " + lost.id + " " + lost.reason);
  }
}

void Coordinator::lose(LiveWorker& worker, const std::string& reason) {
  const std::string id = worker.info.id();
  spdlog::warn("{}: given up", reason);
  worker.info.set_state("lost");
  if (worker.link) worker.link->close(unavailable(reason));
  worker.link = nullptr;
  journal_.worker_changed(id);
  for (auto& [job_id, job] : live_.jobs) {
    if (job.attempt && job.attempt->worker_id == id) end_attempt(job, unavailable(reason));
  }
  to_place_ = true;
}

void Coordinator::forget_lost_workers() {
  const auto now = environment_.clock.monotonic();
  for (auto at = live_.workers.begin(); at != live_.workers.end();) {
    const auto& [id, worker] = *at;
    const bool silent = worker.lost() && now - worker.last_heard > config_.forget;
    const bool old = silent && !worker.info.cordoned();
    if (old) journal_.worker_changed(id);
    at = old ? live_.workers.erase(at) : std::next(at);
  }
}

void Coordinator::place_jobs() {
  settle_dependents();
  if (!std::exchange(to_place_, false)) return;
  const MonotonicTime now = environment_.clock.monotonic();
  const auto placement = scheduler::place(now, state_of(live_), config_.scheduler);
  for (const auto& leave : placement.leaves) ask_to_leave(leave);
  for (const auto& start : placement.starts) start_gang(start);
  for (const auto& wait : placement.waits) {
    move_to(live_.jobs.at(wait.job_id), v1::JOB_STATE_QUEUED, wait.reason);
  }
}

}  // namespace prefixmem
