#include "coordinator/scheduler/demand.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace prefixmem::scheduler {
namespace {

using SlotsLeft = std::map<std::string, int64_t>;  // by tenant; absent: any number

SlotsLeft slots_left(const std::vector<Room>& rooms, const std::vector<Tenant>& tenants) {
  SlotsLeft left;
  for (const Tenant& tenant : tenants) {
    if (tenant.slots) left[tenant.name] = *tenant.slots;
    if (tenant.most_stored_bytes && tenant.stored_bytes >= *tenant.most_stored_bytes) {
      left[tenant.name] = 0;
    }
  }
  for (const Room& room : rooms) {
    for (const Gang& gang : room.gangs) {
      if (const auto found = left.find(gang.tenant); found != left.end()) {
        found->second -= gang.ranks;
      }
    }
  }
  return left;
}

int64_t gangs_of(const Kind& kind, size_t jobs, const Config& config) {
  const auto count = static_cast<int64_t>(jobs);
  if (kind.bank.empty()) return count;
  const int64_t most = kind.bank_limit > 0 ? kind.bank_limit : config.bank_limit;
  return (count + most - 1) / most;
}

Place place_of(const Room& room) {
  return {.allocation = room.worker->allocation,
          .slots = room.worker->slots,
          .free = std::max(room.free, 0),
          .device = room.worker->device,
          .takes_work = takes_work(*room.worker),
          .busy = room.gangs.size() > 0,
          .memory = room.worker->memory,
          .gpu_memory = room.worker->gpu_memory};
}

}  // namespace

Demand demand_of(const std::vector<Room>& rooms, const std::vector<Tenant>& tenants,
                 const Queue& queue, const Config& config) {
  Demand demand;
  for (const Room& room : rooms) demand.places.push_back(place_of(room));
  SlotsLeft left = slots_left(rooms, tenants);
  std::map<std::tuple<int, Device, Memory>, int64_t> wanted;
  for (const auto& [kind, line] : queue.lines()) {
    const int ranks = kind.least > 0 ? std::min(kind.least, kind.ranks) : kind.ranks;
    int64_t gangs = gangs_of(kind, line.size(), config);
    if (const auto bound = left.find(kind.tenant); bound != left.end()) {
      gangs = std::min(gangs, std::max<int64_t>(bound->second, 0) / ranks);
      bound->second -= gangs * ranks;
    }
    if (gangs > 0) wanted[{ranks, kind.device, kind.memory}] += gangs;
  }
  for (const auto& [what, gangs] : wanted) {
    const auto& [ranks, device, memory] = what;
    demand.wants.push_back({ranks, device, gangs, memory});
  }
  std::reverse(demand.wants.begin(), demand.wants.end());
  return demand;
}

}  // namespace prefixmem::scheduler
