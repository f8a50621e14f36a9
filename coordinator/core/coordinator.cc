#include "coordinator/core/coordinator.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "common/proto/job_state.h"
#include "common/proto/sweep_state.h"
#include "common/proto/timestamps.h"
#include "coordinator/scheduler/lease.h"

namespace prefixmem {
namespace {

constexpr int kMostTold = 1000;

std::string attempt_missing(const v1::Job& job) {
  return fmt::format("store: {} is {} and its attempt {} is not there", job.id(),
                     state_name(job.state()), job.attempt());
}

}  // namespace

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
    const std::string id = record.job.id();
    LiveJob& job = live_.jobs[id] = {.record = std::move(record), .attempt = {}};
    live_.moved.insert(id);
    count_queued(job, 1);
    if (job.record.job.attempt() > 0) job.turn = ++live_.last_turn;
    if (job.record.job.state() == v1::JOB_STATE_QUEUED) continue;
    PM_ASSIGN(auto attempt, reader().attempt(id, job.record.job.attempt()));
    if (!attempt) return data_loss(attempt_missing(job.record.job));
    live_.place(job, *std::move(attempt));
    begin_clock(job, now);  // until its worker says for how long it has run
  }
  PM_ASSIGN(live_.last_seq, reader().last_seq());
  std::vector<LiveJob*> queued;
  for (auto& [id, job] : live_.jobs) {
    if (!job.attempt) queued.push_back(&job);
  }
  PM_TRY(await_dependencies(queued));
  PM_TRY(load_sweeps());
  PM_TRY(load_tokens());
  PM_TRY(load_tenants());
  spdlog::info("{} unfinished jobs, {} known workers", live_.jobs.size(), live_.workers.size());
  return {};
}

Status Coordinator::make_durable(int64_t batch) {
  Result<std::set<std::string>> news = std::set<std::string>();
  {
    const auto turn = turns_.take(batch);
    if (!turn) return {};
    const MutexLock writing(write_mutex_);
    news = write_notes();
  }
  if (news.ok()) subscriptions_.notify(*news);
  return news.status();
}

Status Coordinator::make_durable_soon(int64_t batch) {
  if (!environment_.hurry) return make_durable(batch);
  environment_.hurry();
  return {};
}

Result<std::set<std::string>> Coordinator::write_notes() {
  const MonotonicTime begin = environment_.clock.monotonic();
  std::optional<store::Transaction> transaction;
  Journal notes;
  {
    const MutexLock lock(mutex_);
    PM_TRY(Status(failure_));
    PM_TRY(count_stored());
    place_jobs();
    if (journal_.empty()) return std::set<std::string>();
    notes = journal_.take();
    transaction.emplace(environment_.store);
    notes.write(*transaction, live_);
  }
  PM_TRY(commit(*transaction, begin, notes.events()));
  notes.deliver();
  {
    const MutexLock lock(mutex_);
    notes.settle(live_);
    files_moved_ |= notes.has_files();
  }
  turns_.wrote(notes.number());
  return notes.news();
}

Status Coordinator::commit(store::Transaction& transaction, MonotonicTime begin, size_t events) {
  return note_commit(transaction.commit(), begin, events);
}

Status Coordinator::note_commit(const Status& committed, MonotonicTime begin, size_t events) {
  if (!committed.ok()) {
    refuse_further(committed);
    return failure();
  }
  environment_.metrics.committed(to_seconds(environment_.clock.monotonic() - begin), events);
  return {};
}

Status Coordinator::failure() {
  const MutexLock lock(mutex_);
  return failure_;
}

// Those who ask are to ask again: the fault is not theirs, and the next process may be able to.
void Coordinator::refuse_further(const Status& failure) {
  const Status why = failure.with_context("the store does not take a write");
  spdlog::error("{}", why.message());
  {
    const MutexLock lock(mutex_);
    failure_ = unavailable(why.message());
  }
  environment_.on_store_failure(why);
}

void Coordinator::tick() {
  if (!failure().ok()) return;
  sweep_content();
  remove_old();
  drop_leftovers();
  int64_t batch = 0;
  {
    const MutexLock lock(mutex_);
    if (!failure_.ok()) return;
    notice_pause();
    give_up_silent_workers();
    forget_lost_workers();
    advance_sweeps();
    end_overdue_jobs();
    to_place_ |= grows_at_ && *grows_at_ <= environment_.clock.monotonic();
    save_usage();
    batch = journal_.number();
  }
  if (const Status status = make_durable(batch); !status.ok()) {
    spdlog::error("tick: {}", status.message());
  }
}

void Coordinator::write() {
  int64_t batch = 0;
  {
    const MutexLock lock(mutex_);
    batch = journal_.number();
  }
  if (const Status status = make_durable(batch); !status.ok()) {
    spdlog::error("write: {}", status.message());
  }
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
  for (const std::string& job_id : std::set(live_.on(id))) {
    LiveJob& job = live_.jobs.at(job_id);
    if (job.attempt->worker_id == id) {
      end_attempt(job, unavailable(reason));
    } else {
      tell_member_gone(job, id, reason);
    }
  }
  to_place_ = true;
}

void Coordinator::forget_lost_workers() {
  const auto now = environment_.clock.monotonic();
  std::vector<std::string> old;
  for (const auto& [id, worker] : live_.workers) {
    const bool silent = worker.lost() && now - worker.last_heard > config_.forget;
    if (silent && !worker.info.cordoned()) old.push_back(id);
  }
  for (const std::string& id : old) forget(id);
}

void Coordinator::forget(const std::string& worker_id) {
  journal_.worker_changed(worker_id);
  live_.gangs.erase(worker_id);
  live_.workers.erase(worker_id);
  to_place_ = true;  // what waits may now wait for another reason
}

void Coordinator::place_jobs() {
  settle_dependents();
  to_place_ |= live_.index_moved();
  if (std::exchange(to_place_, false)) place_anew();
  tell_those_behind();
}

void Coordinator::place_anew() {
  const MonotonicTime now = environment_.clock.monotonic();
  advance_usage();
  const auto workers = workers_of(live_).workers;
  const auto placement = scheduler::place(now, rooms_of(workers, live_), tenants_of(live_),
                                          live_.queue, config_.scheduler);
  to_place_ = !placement.leaves.empty();  // what is leaving counts from then on
  grows_at_ = placement.grows_at;
  for (const std::string& id : placement.turns) {
    LiveJob& job = live_.jobs.at(id);
    job.turn = ++live_.last_turn;
    live_.queue.put(waiting(job));
  }
  for (const auto& leave : placement.leaves) ask_to_leave(leave);
  for (const auto& start : placement.starts) start_gang(start);
  for (const auto& wait : placement.waits) {
    move_to(live_.jobs.at(wait.job_id), v1::JOB_STATE_QUEUED, wait.reason);
  }
  for (const auto& told : placement.behind) {
    Behind& behind = live_.behind[told.kind];
    behind.first = told.job_id;
    behind.untold.insert(told.job_id);
    if (std::exchange(behind.reason, told.reason) == told.reason) continue;
    for (const auto& [turn, job] : live_.queue.lines().at(told.kind)) behind.untold.insert(job->id);
  }
  count_slots();
}

// So many at a time, however many there are.
void Coordinator::tell_those_behind() {
  int left = kMostTold;
  for (auto at = live_.behind.begin(); at != live_.behind.end() && left > 0;) {
    auto& [first, reason, untold] = at->second;
    for (auto id = untold.begin(); id != untold.end() && left > 0;) {
      if (*id == first) {
        ++id;
        continue;
      }
      const scheduler::Job* job = live_.queue.find(*id);
      id = untold.erase(id);
      if (job == nullptr || kind_of(*job) != at->first) continue;
      move_to(live_.jobs.at(job->id), v1::JOB_STATE_QUEUED, reason);
      --left;
    }
    at = live_.queue.lines().contains(at->first) ? std::next(at) : live_.behind.erase(at);
  }
}

}  // namespace prefixmem
