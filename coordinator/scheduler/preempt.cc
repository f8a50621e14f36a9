#include "coordinator/scheduler/preempt.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

namespace prefixmem::scheduler {
namespace {

using SomeGangs = std::vector<const Gang*>;

int ranks_of_largest(SomeGangs gangs, size_t count) {
  std::sort(gangs.begin(), gangs.end(),
            [](const Gang* a, const Gang* b) { return a->ranks > b->ranks; });
  int ranks = 0;
  for (size_t i = 0; i < std::min(count, gangs.size()); ++i) ranks += gangs[i]->ranks;
  return ranks;
}

// The first to be spared comes first.
bool is_spared_before(const Gang* a, const Gang* b) {
  return std::tuple(-a->priority, a->began, a->id) < std::tuple(-b->priority, b->began, b->id);
}

// Sorted as they are spared; empty where all of them do not make `need` slots.
std::vector<Gang> fewest(SomeGangs gangs, int need) {
  size_t count = 1;
  while (count <= gangs.size() && ranks_of_largest(gangs, count) < need) ++count;
  if (count > gangs.size()) return {};
  std::sort(gangs.begin(), gangs.end(), is_spared_before);
  for (size_t i = 0; i < gangs.size();) {
    SomeGangs others = gangs;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    if (ranks_of_largest(others, count) < need) {
      ++i;
    } else {
      gangs = std::move(others);
    }
  }
  std::vector<Gang> chosen;
  for (const Gang* gang : gangs) chosen.push_back(*gang);
  return chosen;
}

SomeGangs of_lower_priority(const Room& room, const Job& job) {
  SomeGangs gangs;
  for (const Gang& gang : room.gangs) {
    if (gang.priority < job.priority && !gang.leaving) gangs.push_back(&gang);
  }
  return gangs;
}

auto preference(const Victims& victims, const Job& job) {
  const Gang& dearest = victims.gangs.front();
  const Device wanted = job.device == Device::kAuto ? Device::kCuda : job.device;
  const Worker& worker = *victims.room->worker;
  return std::tuple(victims.gangs.size(), dearest.priority, -dearest.began.time_since_epoch(),
                    worker.device != wanted, worker.id);
}

}  // namespace

Victims choose_victims(const std::vector<Room>& rooms, const Job& job) {
  Victims best;
  for (const Room& room : rooms) {
    if (room.keeper != nullptr || !takes_work(*room.worker) || !could_ever_hold(room, job)) {
      continue;
    }
    const int need = job.ranks - free_once_left(room);
    Victims victims{.room = &room, .gangs = fewest(of_lower_priority(room, job), need)};
    if (victims.gangs.empty()) continue;
    if (best.room == nullptr || preference(victims, job) < preference(best, job)) {
      best = std::move(victims);
    }
  }
  return best;
}

std::vector<Gang> choose_victims_among(const Pool& pool, const Job& job) {
  std::map<std::string_view, Gang> whole;  // by id
  int need = job.ranks;
  for (const Room* room : pool) {
    if (!takes_work(*room->worker)) continue;
    need -= free_once_left(*room);
    for (const Gang* gang : of_lower_priority(*room, job)) {
      const auto [at, first] = whole.emplace(gang->id, *gang);
      if (!first) at->second.ranks += gang->ranks;
    }
  }
  SomeGangs gangs;
  for (const auto& [id, gang] : whole) gangs.push_back(&gang);
  return fewest(std::move(gangs), need);
}

}  // namespace prefixmem::scheduler
