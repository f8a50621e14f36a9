#include "coordinator/scheduler/shares.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "coordinator/scheduler/reasons.h"

namespace prefixmem::scheduler {

Shares::Shares(const std::vector<Tenant>& tenants, const std::vector<Room>& rooms) {
  for (const Tenant& tenant : tenants) shares_[tenant.name].tenant = tenant;
  for (const Room& room : rooms) {
    for (const Gang& gang : room.gangs) shares_[gang.tenant].held += gang.ranks;
  }
}

const Shares::Share& Shares::of(std::string_view tenant) const {
  static const Share kNone;
  const auto found = shares_.find(tenant);
  return found == shares_.end() ? kNone : found->second;
}

void Shares::hold(const Job& job) { shares_[job.tenant].held += job.ranks; }

double Shares::load(std::string_view tenant) const {
  const Share& share = of(tenant);
  return (share.held + share.tenant.recent_slots) / std::max(share.tenant.weight, 1);
}

Bar Shares::bar(const Job& job) const {
  const auto& [tenant, held] = of(job.tenant);
  if (tenant.most_stored_bytes && tenant.stored_bytes >= *tenant.most_stored_bytes) {
    return {Bar::Kind::kQuota,
            fmt::format("tenant {} has files of {} bytes stored, its quota is {}", tenant.name,
                        tenant.stored_bytes, *tenant.most_stored_bytes)};
  }
  if (!tenant.slots) return {};
  if (job.ranks > *tenant.slots) {
    return {Bar::Kind::kQuota, fmt::format("needs {}, the quota of tenant {} is {}",
                                           slots_text(job.ranks), tenant.name, *tenant.slots)};
  }
  if (held + job.ranks <= *tenant.slots) return {};
  return {Bar::Kind::kSlots, fmt::format("waits for {} of the quota of tenant {}, which is {}",
                                         slots_text(job.ranks), tenant.name, *tenant.slots)};
}

int Shares::left(std::string_view tenant) const {
  const Share& share = of(tenant);
  if (!share.tenant.slots) return std::numeric_limits<int>::max();
  return std::max(*share.tenant.slots - share.held, 0);
}

double recent_slots(double before, int slots, Millis span) {
  constexpr double kHalfLifeSeconds = 24 * 3600;
  return slots + (before - slots) * std::exp2(-to_seconds(span) / kHalfLifeSeconds);
}

}  // namespace prefixmem::scheduler
