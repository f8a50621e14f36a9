#include "coordinator/core/live.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "common/proto/ranks.h"
#include "common/spec/duration.h"

namespace prefixmem {
namespace {

// What jobs have in common that may train in one gang; empty: it trains alone. The priority is the
// gang's.
std::string bank_of(const store::JobRecord& record) {
  const v1::Job& job = record.job;
  const v1::JobSpec& spec = job.spec();
  const bool adapters = !spec.method().has_full() && !spec.method().has_none();
  const v1::ResourcesSpec& resources = spec.resources();
  if (fewest_ranks(resources) < resources.ranks()) return {};
  if (!adapters || job.sweep_id().empty() || record.bank_limit == 1) return {};
  if (resources.bank() == "never") return {};
  return fmt::format("{} {} {} {} {} {} {} {} {} {}", job.sweep_id(), spec.train().dtype(),
                     resources.ranks(), resources.device(), resources.threads(),
                     resources.shard_base(), resources.time_limit(), spec.priority(),
                     record.bank_limit, spec.model());
}

scheduler::Job job_of(const store::JobRecord& record) {
  return {.id = record.job.id(),
          .tenant = auth::tenant_of(record.job),
          .priority = record.job.spec().priority(),
          .order = record.seq,
          .ranks = record.job.ranks(),
          .least = static_cast<int>(fewest_ranks(record.job.spec().resources())),
          .most = static_cast<int>(record.job.spec().resources().ranks()),
          .same_make = record.job.spec().train().deterministic(),
          // Threads of a rank, which its bits depend on, are cores divided by slots unless given.
          .same_slots = record.job.spec().train().deterministic() &&
                        record.job.spec().resources().threads() == 0,
          .device = device_of(record.job.spec().resources().device()),
          .retries = record.retries,
          .bank = {},
          .resumes = record.job.attempt() > 0,
          .bank_limit = record.bank_limit,
          .time = time_limit_of(record),
          .memory = memory_of(record.job.memory())};
}

// `own`: how the scheduler sees the job.
scheduler::Attempt attempt_of(const LiveJob& job, scheduler::Job own) {
  std::optional<MonotonicTime> end_by;
  if (!own.time.text.empty()) end_by = job.began + own.time.left + scheduler::kLeaveGrace;
  return {.job = std::move(own),
          .attempt = job.attempt->attempt,
          .worker_id = job.attempt->worker_id,
          .gang = job.attempt->gang,
          .slots = job.record.job.slots(),
          .seats = job.record.job.hosts().empty() ? std::vector<scheduler::Seat>() : seats_of(job),
          .stop = job.record.stop,
          .began = job.began,
          .end_by = end_by};
}

scheduler::Worker worker_of(const LiveWorker& worker, const Live& live) {
  return {.id = worker.info.id(),
          .slots = worker.info.slots(),
          .device = device_of(worker.info.device()),
          .lost = worker.lost(),
          .connected = worker.link != nullptr,
          .draining = live.leaves(worker),
          .cordoned = worker.info.cordoned(),
          .unhealthy = !worker.info.unhealthy().empty(),
          .last_heard = worker.last_heard,
          .settled = worker.settled,
          .make = worker.make,
          .allocation = worker.info.allocation(),
          .host = worker.info.host(),
          .memory = worker.info.memory_bytes(),
          .gpu_memory = worker.info.gpu_memory_bytes()};
}

scheduler::Tenant shared_by(const LiveTenant& tenant) {
  const auto& [shown, stored_bytes, recent_slots, used] = tenant.record;
  scheduler::Tenant seen{.name = shown.name(),
                         .weight = std::max(shown.weight(), 1),
                         .recent_slots = recent_slots,
                         .stored_bytes = stored_bytes};
  if (shown.quota().has_slots()) seen.slots = shown.quota().slots();
  if (shown.quota().has_stored_bytes()) seen.most_stored_bytes = shown.quota().stored_bytes();
  return seen;
}

}  // namespace

LiveTenant& Live::tenant(const std::string& name) {
  const auto [at, added] = tenants.try_emplace(name);
  if (added) at->second.record.tenant.set_name(name);
  return at->second;
}

LiveJob* Live::current(const v1::AttemptId& id) {
  const auto found = jobs.find(id.job_id());
  if (found == jobs.end() || !found->second.attempt) return nullptr;
  return found->second.attempt->attempt == id.attempt() ? &found->second : nullptr;
}

LiveJob* Live::current(const std::string& worker_id, const v1::AttemptId& id) {
  LiveJob* const job = current(id);
  return job != nullptr && job->attempt->worker_id == worker_id ? job : nullptr;
}

LiveJob* Live::with_part_on(const std::string& worker_id, const v1::AttemptId& id) {
  LiveJob* const job = current(id);
  if (job == nullptr || job->attempt->worker_id == worker_id) return job;
  const auto& hosts = job->record.job.hosts();
  const bool here = std::any_of(hosts.begin(), hosts.end(), [&](const v1::GangHost& host) {
    return host.worker_id() == worker_id;
  });
  return here ? job : nullptr;
}

void Live::place(LiveJob& job, store::AttemptRecord attempt) {
  queue.erase(attempt.job_id);
  job.attempt = std::move(attempt);
  for (const scheduler::Seat& seat : seats_of(job)) {
    placed[seat.worker_id].insert(job.attempt->job_id);
    gangs.erase(seat.worker_id);
  }
}

store::AttemptRecord Live::displace(LiveJob& job) {
  for (const scheduler::Seat& seat : seats_of(job)) {
    const auto on_worker = placed.find(seat.worker_id);
    on_worker->second.erase(job.attempt->job_id);
    if (on_worker->second.empty()) placed.erase(on_worker);
  }
  gangs_changed(job);
  return *std::exchange(job.attempt, std::nullopt);
}

void Live::gangs_changed(const LiveJob& job) {
  for (const scheduler::Seat& seat : seats_of(job)) gangs.erase(seat.worker_id);
}

const std::set<std::string>& Live::on(const std::string& worker_id) const {
  static const std::set<std::string> kNone;
  const auto found = placed.find(worker_id);
  return found == placed.end() ? kNone : found->second;
}

const scheduler::RunningGangs& Live::gangs_on(const std::string& worker_id) {
  scheduler::RunningGangs& running = gangs[worker_id];
  if (running) return running;
  std::vector<scheduler::Attempt> attempts;
  for (const std::string& job_id : on(worker_id)) {
    const LiveJob& job = jobs.at(job_id);
    attempts.push_back(attempt_of(job, waiting(job)));
  }
  return running = scheduler::gangs_of(attempts, worker(worker_id));
}

scheduler::Worker Live::worker(const std::string& id) const {
  const auto found = workers.find(id);
  return found == workers.end() ? scheduler::Worker{.id = id} : worker_of(found->second, *this);
}

bool Live::leaves(const LiveWorker& worker) const {
  return worker.draining || released.contains(worker.info.allocation());
}

bool Live::index_moved() {
  bool matters = false;
  for (const std::string& id : std::exchange(moved, {})) {
    const auto found = jobs.find(id);
    if (found == jobs.end() || !waits_for_slots(found->second)) {
      queue.erase(id);
      continue;
    }
    const scheduler::Job job = waiting(found->second);
    const auto change = queue.put(job);
    if (change == scheduler::Queue::Change::kNone) continue;
    behind[kind_of(job)].untold.insert(id);
    matters |= change == scheduler::Queue::Change::kFirst;
  }
  return matters;
}

std::vector<scheduler::Seat> seats_of(const LiveJob& job) {
  const v1::Job& shown = job.record.job;
  std::vector<scheduler::Seat> seats;
  for (const v1::GangHost& host : shown.hosts()) seats.push_back({host.worker_id(), host.ranks()});
  if (seats.empty()) seats.push_back({job.attempt->worker_id, shown.ranks()});
  return seats;
}

// What cannot be read was written by no version of ours: the schema accepts durations alone.
scheduler::TimeLimit time_limit_of(const store::JobRecord& record) {
  const v1::ResourcesSpec& resources = record.job.spec().resources();
  const auto limit = spec::parse_duration(resources.time_limit());
  if (!limit) return {};
  return {.text = resources.time_limit(), .left = *limit - record.run_time};
}

scheduler::Attempt attempt_of(const LiveJob& job) { return attempt_of(job, job_of(job.record)); }

bool may_share(const store::JobRecord& job, const scheduler::Config& config) {
  return config.bank_limit > 1 && !bank_of(job).empty();
}

Device device_of(const std::string& name) {
  if (name == "cuda") return Device::kCuda;
  return name == "cpu" ? Device::kCpu : Device::kAuto;
}

scheduler::Memory memory_of(const v1::PlacedMemory& memory) {
  return {.shared = memory.host_shared(),
          .base = memory.host_rank(),
          .gpu_base = memory.gpu_rank(),
          .own = memory.own()};
}

scheduler::AttemptKey key_of(const v1::AttemptId& id) { return {id.job_id(), id.attempt()}; }

v1::AttemptId id_of(const scheduler::AttemptKey& key) {
  v1::AttemptId id;
  id.set_job_id(key.job_id);
  id.set_attempt(key.attempt);
  return id;
}

v1::AttemptId id_of(const store::AttemptRecord& attempt) {
  return id_of(scheduler::AttemptKey{attempt.job_id, attempt.attempt});
}

bool waits_for_slots(const LiveJob& job) {
  return job.record.job.state() == v1::JOB_STATE_QUEUED && job.after.empty() &&
         job.unwritten_files == 0;
}

scheduler::Job waiting(const LiveJob& job) {
  scheduler::Job seen = job_of(job.record);
  seen.bank = bank_of(job.record);
  seen.turn = job.turn;
  seen.avoid = job.avoid;
  return seen;
}

scheduler::State workers_of(const Live& live) {
  scheduler::State state;
  state.grace_end = live.grace_end;
  for (const auto& [id, worker] : live.workers) state.workers.push_back(worker_of(worker, live));
  return state;
}

std::vector<scheduler::Tenant> tenants_of(const Live& live) {
  std::vector<scheduler::Tenant> tenants;
  for (const auto& [name, tenant] : live.tenants) tenants.push_back(shared_by(tenant));
  return tenants;
}

std::vector<scheduler::Room> rooms_of(const std::vector<scheduler::Worker>& workers, Live& live) {
  return scheduler::rooms_of(
      workers, [&](const scheduler::Worker& worker) { return live.gangs_on(worker.id); });
}

v1::Worker describe(const LiveWorker& worker, Live& live, MonotonicTime now) {
  v1::Worker view = worker.info;
  view.set_heartbeat_age_seconds(to_seconds(now - worker.last_heard));
  if (worker.link == nullptr) view.clear_unhealthy();  // nobody knows how it is now
  bool leaving = live.leaves(worker);
  for (const std::string& id : live.on(view.id())) {
    const LiveJob& job = live.jobs.at(id);
    view.add_job_ids(id);
    leaving |= view.cordoned() && job.record.stop.code() == Code::kUnavailable;
  }
  const scheduler::RunningGangs& gangs = live.gangs_on(view.id());
  for (const scheduler::Gang& gang : *gangs) view.set_used_slots(view.used_slots() + gang.slots);
  view.set_gangs(static_cast<int>(gangs->size()));
  if (worker.lost()) return view;
  if (!view.unhealthy().empty()) view.set_state("unhealthy");
  if (view.cordoned()) view.set_state("cordoned");
  if (worker.link == nullptr) view.set_state("disconnected");
  if (leaving) view.set_state("draining");
  return view;
}

}  // namespace prefixmem
