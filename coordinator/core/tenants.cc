// Who shares the slots, and what they use.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/proto/ranks.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/scheduler/shares.h"

namespace prefixmem {
namespace {

constexpr Millis kUsageEvery{60'000};
constexpr int kMostWeight = 1000;

Status check_least(const char* field, bool given, int64_t value, int64_t least) {
  if (!given || value >= least) return {};
  return invalid_argument(
      fmt::format("{} is {}; allowed: at least {}, or none for no bound", field, value, least));
}

Status check_request(const v1::SetTenantRequest& request) {
  PM_TRY(auth::check_name("tenant", request.tenant()));
  if (request.weight() < 0 || request.weight() > kMostWeight) {
    return invalid_argument(fmt::format("weight is {}; allowed: a number from 1 to {}, or 0 for 1",
                                        request.weight(), kMostWeight));
  }
  const v1::Quota& quota = request.quota();
  PM_TRY(check_least("quota.slots", quota.has_slots(), quota.slots(), 1));
  PM_TRY(check_least("quota.queued_jobs", quota.has_queued_jobs(), quota.queued_jobs(), 1));
  return check_least("quota.stored_bytes", quota.has_stored_bytes(), quota.stored_bytes(), 1);
}

v1::Tenant view_of(const LiveTenant& tenant) {
  v1::Tenant shown = tenant.record.tenant;
  shown.set_weight(std::max(shown.weight(), 1));
  shown.set_used_slots(tenant.slots);
  shown.set_stored_bytes(tenant.record.stored_bytes);
  shown.set_recent_slots(tenant.record.recent_slots);
  shown.set_queued_jobs(tenant.queued);
  return shown;
}

}  // namespace

// While no coordinator ran, gangs went on.
Status Coordinator::load_tenants() {
  PM_ASSIGN(auto records, reader().tenants());
  for (store::TenantRecord& record : records) {
    LiveTenant& tenant = live_.tenant(record.tenant.name());
    tenant.record = std::move(record);
  }
  count_slots();
  const WallTime now = environment_.clock.wall();
  for (auto& [name, tenant] : live_.tenants) {
    auto& [shown, stored_bytes, recent_slots, used] = tenant.record;
    if (used == WallTime{}) continue;
    const Millis away = std::max<Millis>(now - used, Millis(0));
    recent_slots = scheduler::recent_slots(recent_slots, tenant.slots, away);
  }
  live_.usage_time = usage_saved_ = environment_.clock.monotonic();
  return {};
}

// Of jobs that are submitted. Those that a search begins later are never refused: they are only as
// many as it runs at once.
Status Coordinator::check_quota(const std::vector<LiveJob>& jobs) {
  PM_TRY(count_stored());
  const std::string name = auth::tenant_of(jobs.front().record.job);
  const LiveTenant& tenant = live_.tenant(name);
  const v1::Quota& quota = tenant.record.tenant.quota();
  if (quota.has_stored_bytes() && tenant.record.stored_bytes >= quota.stored_bytes()) {
    return resource_exhausted(
        fmt::format("tenant {} has files of {} bytes stored; allowed, for more jobs: less than {}",
                    name, tenant.record.stored_bytes, quota.stored_bytes()));
  }
  for (const LiveJob& job : jobs) {
    const v1::ResourcesSpec& resources = job.record.job.spec().resources();
    const int64_t fewest = fewest_ranks(resources);
    if (!quota.has_slots() || fewest <= quota.slots()) continue;
    return resource_exhausted(fmt::format("resources.{} is {}; allowed for tenant {}: at most {}",
                                          resources.has_min_ranks() ? "min_ranks" : "ranks", fewest,
                                          name, quota.slots()));
  }
  const int64_t waiting = tenant.queued + static_cast<int64_t>(jobs.size());
  if (!quota.has_queued_jobs() || waiting <= quota.queued_jobs()) return {};
  return resource_exhausted(fmt::format("tenant {} would have {} jobs waiting; allowed: at most {}",
                                        name, waiting, quota.queued_jobs()));
}

void Coordinator::advance_usage() {
  const MonotonicTime now = environment_.clock.monotonic();
  const Millis span = now - std::exchange(live_.usage_time, now);
  for (auto& [name, tenant] : live_.tenants) {
    tenant.record.recent_slots =
        scheduler::recent_slots(tenant.record.recent_slots, tenant.slots, span);
    tenant.record.used = environment_.clock.wall();
  }
}

void Coordinator::count_slots() {
  for (auto& [name, tenant] : live_.tenants) tenant.slots = 0;
  for (const auto& [worker, jobs] : live_.placed) {
    for (const scheduler::Gang& gang : *live_.gangs_on(worker)) {
      live_.tenant(gang.tenant).slots += gang.ranks;
    }
  }
}

void Coordinator::count_queued(const LiveJob& job, int change) {
  if (job.record.job.state() != v1::JOB_STATE_QUEUED) return;
  live_.tenant(auth::tenant_of(job.record.job)).queued += change;
}

void Coordinator::save_usage() {
  constexpr double kNothing = 1e-3;
  const MonotonicTime now = environment_.clock.monotonic();
  if (now - usage_saved_ < kUsageEvery) return;
  usage_saved_ = now;
  advance_usage();
  for (const auto& [name, tenant] : live_.tenants) {
    if (tenant.record.recent_slots > kNothing) journal_.tenant_changed(name);
  }
}

// The store counts (schema.cc); a tenant that is no longer full goes on.
Status Coordinator::count_stored() {
  if (!files_moved_) return {};
  PM_ASSIGN(const auto records, reader().tenants());
  files_moved_ = false;
  for (const store::TenantRecord& record : records) {
    LiveTenant& tenant = live_.tenant(record.tenant.name());
    to_place_ |= tenant.record.stored_bytes > record.stored_bytes;
    tenant.record.stored_bytes = record.stored_bytes;
  }
  return {};
}

Result<std::vector<v1::Tenant>> Coordinator::tenants() {
  const MutexLock lock(mutex_);
  PM_TRY(count_stored());
  advance_usage();
  std::vector<v1::Tenant> shown;
  for (const auto& [name, tenant] : live_.tenants) shown.push_back(view_of(tenant));
  return shown;
}

Result<v1::Tenant> Coordinator::set_tenant(const v1::SetTenantRequest& request) {
  PM_TRY(check_request(request));
  v1::Tenant wanted;
  wanted.set_name(request.tenant());
  wanted.set_weight(std::max(request.weight(), 1));
  *wanted.mutable_quota() = request.quota();
  PM_ASSIGN(const int64_t batch, write_tenant(wanted));
  PM_TRY(make_durable(batch));
  const MutexLock lock(mutex_);
  return view_of(live_.tenant(request.tenant()));
}

// The batch in which what follows from it is noted.
Result<int64_t> Coordinator::write_tenant(const v1::Tenant& wanted) {
  const MutexLock writing(write_mutex_);
  PM_TRY(failure());
  const MonotonicTime begin = environment_.clock.monotonic();
  store::Transaction transaction(environment_.store);
  transaction.put_tenant(wanted);
  PM_TRY(commit(transaction, begin, 0));
  const MutexLock lock(mutex_);
  live_.tenant(wanted.name()).record.tenant = wanted;
  to_place_ = true;
  return journal_.number();
}

}  // namespace prefixmem
