// What operators ask of workers, and those who bring them.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/spec/utf8.h"
#include "coordinator/core/coordinator.h"

namespace prefixmem {
namespace {

constexpr int kAttemptsALap = 1000;

}  // namespace

Result<v1::Worker> Coordinator::cordon(const std::string& worker_id) {
  return set_cordoned(worker_id, true, /*leave=*/false);
}

Result<v1::Worker> Coordinator::drain(const std::string& worker_id) {
  return set_cordoned(worker_id, true, /*leave=*/true);
}

Result<v1::Worker> Coordinator::uncordon(const std::string& worker_id) {
  return set_cordoned(worker_id, false, /*leave=*/false);
}

Result<v1::Worker> Coordinator::set_cordoned(const std::string& worker_id, bool cordoned,
                                             bool leave) {
  v1::Worker after;  // the worker may have left before that is durable
  int64_t batch = 0;
  {
    const MutexLock lock(mutex_);
    PM_TRY(Status(failure_));
    PM_ASSIGN(LiveWorker * worker, find_worker(worker_id));
    worker->info.set_cordoned(cordoned);
    journal_.worker_changed(worker_id);
    spdlog::info("worker {} is {}", worker_id,
                 leave ? "to be drained" : (cordoned ? "cordoned" : "uncordoned"));
    if (leave) empty_worker(worker_id);
    to_place_ = true;
    after = describe(*worker, live_, environment_.clock.monotonic());
    batch = journal_.number();
  }
  PM_TRY(make_durable(batch));
  return after;
}

Result<LiveWorker*> Coordinator::find_worker(const std::string& worker_id) {
  const auto found = live_.workers.find(worker_id);
  if (found != live_.workers.end()) return &found->second;
  return not_found(fmt::format("no worker has the id \"{}\"", spec::shortened(worker_id, 80)));
}

void Coordinator::empty_worker(const std::string& worker_id) {
  const std::string reason = fmt::format("worker {} is drained", worker_id);
  for (const std::string& id : live_.on(worker_id)) {
    stop_attempt(live_.jobs.at(id), unavailable(reason), "drain asked for");
  }
}

scheduler::Demand Coordinator::demand() {
  const MutexLock lock(mutex_);
  place_jobs();
  const auto workers = workers_of(live_).workers;
  return scheduler::demand_of(rooms_of(workers, live_), tenants_of(live_), live_.queue,
                              config_.scheduler);
}

bool Coordinator::release(const std::string& allocation) {
  const MutexLock lock(mutex_);
  for (const auto& [id, worker] : live_.workers) {
    if (worker.info.allocation() == allocation && !live_.on(id).empty()) return false;
  }
  live_.released.insert(allocation);
  to_place_ = true;
  return true;
}

void Coordinator::forget_released(std::set<std::string> listed) {
  const MutexLock lock(mutex_);
  for (const auto& [id, worker] : live_.workers) listed.insert(worker.info.allocation());
  std::erase_if(live_.released, [&](const std::string& id) { return !listed.contains(id); });
}

Result<std::unique_ptr<store::Snapshot>> Coordinator::begin_snapshot() {
  return environment_.store.begin_snapshot();
}

Status Coordinator::begin_again(const std::string& reason, int lap) {
  int64_t batch = 0;
  {
    const MutexLock lock(mutex_);
    for (auto& [id, worker] : live_.workers) worker.draining = true;
    for (auto& [id, job] : live_.jobs) {
      if (job.attempt) end_attempt(job, unavailable(reason));
      job.record.job.set_attempt(std::max(job.record.job.attempt(), lap * kAttemptsALap));
      journal_.job_changed(id);
    }
    batch = journal_.number();
  }
  return make_durable(batch);
}

}  // namespace prefixmem
