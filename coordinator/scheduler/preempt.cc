#include "coordinator/scheduler/preempt.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "coordinator/scheduler/memory.h"

namespace prefixmem::scheduler {
namespace {

// One that may be asked to leave.
struct Leaver {
  const Gang* gang = nullptr;
  int room = 0;  // slots that it makes
};
using Leavers = std::vector<Leaver>;

int room_of_largest(Leavers gangs, size_t count) {
  std::sort(gangs.begin(), gangs.end(),
            [](const Leaver& a, const Leaver& b) { return a.room > b.room; });
  int room = 0;
  for (size_t i = 0; i < std::min(count, gangs.size()); ++i) room += gangs[i].room;
  return room;
}

// The first to be spared comes first.
bool is_spared_before(const Leaver& one, const Leaver& other) {
  const Gang &a = *one.gang, &b = *other.gang;
  return std::tuple(-a.priority, a.began, a.id) < std::tuple(-b.priority, b.began, b.id);
}

// Those that are left when each is spared, in turn, without whom the rest is enough. Empty where
// all of them are not.
std::vector<Gang> needed_of(Leavers gangs, const std::function<bool(const Leavers&)>& is_enough) {
  if (!is_enough(gangs)) return {};
  std::sort(gangs.begin(), gangs.end(), is_spared_before);
  for (size_t i = 0; i < gangs.size();) {
    Leavers others = gangs;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    if (!is_enough(others)) {
      ++i;
    } else {
      gangs = std::move(others);
    }
  }
  std::vector<Gang> needed;
  for (const Leaver& one : gangs) needed.push_back(*one.gang);
  return needed;
}

// Sorted as they are spared; empty where all of them do not make room enough.
std::vector<Gang> fewest(const Leavers& gangs, int need) {
  size_t count = 1;
  while (count <= gangs.size() && room_of_largest(gangs, count) < need) ++count;
  if (count > gangs.size()) return {};
  return needed_of(gangs,
                   [&](const Leavers& some) { return room_of_largest(some, count) >= need; });
}

// With the slots that they hold.
Leavers of_lower_priority(const Room& room, const Job& job) {
  Leavers gangs;
  for (const Gang& gang : room.gangs) {
    if (gang.priority < job.priority && !gang.leaving) gangs.push_back({&gang, gang.slots});
  }
  return gangs;
}

// Ranks of a job for which there are slots in a pool once some gangs have left it.
class RoomWithout {
 public:
  RoomWithout(const Pool& pool, const Job& job) : job_(job) {
    for (const Room* room : pool) {
      if (!takes_work(*room->worker)) continue;
      for (const Gang& gang : room->gangs) {
        if (!gang.leaving) parts_[gang.id].emplace_back(rooms_.size(), gang.slots);
      }
      rooms_.emplace_back(room->worker, free_once_left(*room));
    }
  }

  int ranks(const Leavers& gone) const {
    std::vector<int> free;
    for (const auto& [worker, slots] : rooms_) free.push_back(slots);
    for (const Leaver& one : gone) {
      for (const auto& [room, slots] : parts_.at(one.gang->id)) free[room] += slots;
    }
    int ranks = 0;
    for (size_t i = 0; i < rooms_.size(); ++i) ranks += ranks_for(*rooms_[i].first, job_, free[i]);
    return ranks;
  }

 private:
  const Job& job_;
  std::vector<std::pair<const Worker*, int>> rooms_;                       // with their free slots
  std::map<std::string_view, std::vector<std::pair<size_t, int>>> parts_;  // by gang: room, slots
};

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
    const int need = slots_for(*room.worker, job) - free_once_left(room);
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
  bool counts_memory = false;
  for (const Room* room : pool) {
    if (!takes_work(*room->worker)) continue;
    counts_memory |= slots_for(*room->worker, job.device, job.memory, 1) > 1;
    need -= free_once_left(*room);
    for (const Leaver& part : of_lower_priority(*room, job)) {
      const auto [at, first] = whole.emplace(part.gang->id, *part.gang);
      if (first) continue;
      at->second.ranks += part.gang->ranks;
      at->second.slots += part.gang->slots;
    }
  }
  Leavers gangs;
  for (const auto& [id, gang] : whole) gangs.push_back({&gang, gang.slots});
  if (!counts_memory) return fewest(gangs, need);
  // What slots a gang leaves is no number of ranks then, so that each is tried without.
  const RoomWithout room(pool, job);
  return needed_of(std::move(gangs),
                   [&](const Leavers& leaving) { return room.ranks(leaving) >= job.ranks; });
}

}  // namespace prefixmem::scheduler
