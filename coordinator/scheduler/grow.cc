#include "coordinator/scheduler/grow.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>

namespace prefixmem::scheduler {
namespace {

// One gang with its parts.
struct Candidate {
  const Gang* gang = nullptr;   // one of them
  std::vector<const Room*> on;  // its workers
};

std::vector<Candidate> candidates(const std::vector<Room>& rooms) {
  std::map<std::string_view, Candidate> by_id;
  for (const Room& room : rooms) {
    for (const Gang& gang : room.gangs) {
      const bool may = gang.elastic && gang.elastic->ranks < gang.elastic->most && !gang.leaving &&
                       !gang.start;  // it starts now, with all that there is
      if (!may) continue;
      Candidate& candidate = by_id[gang.id];
      candidate.gang = &gang;
      candidate.on.push_back(&room);
    }
  }
  std::vector<Candidate> all;
  for (auto& [id, candidate] : by_id) all.push_back(std::move(candidate));
  std::sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
    return std::tuple(-a.gang->priority, a.gang->began, a.gang->id) <
           std::tuple(-b.gang->priority, b.gang->began, b.gang->id);
  });
  return all;
}

// Slots of the worker that the gang could have once it has left.
int slots_for(const Candidate& candidate, const Room& room) {
  if (!takes_work(*room.worker) || room.keeper != nullptr) return 0;
  if (!has_device(room, candidate.gang->elastic->device)) return 0;
  int slots = std::max(room.free, 0);
  for (const Gang& gang : room.gangs) {
    if (gang.id == candidate.gang->id) slots += gang.ranks;
  }
  return slots;
}

void take(Room& room, int slots) { room.free -= slots; }

// Ranks that it would have, of slots that are then taken; those that it has: no more.
int grown(const Candidate& candidate, int most, std::vector<Room>& rooms) {
  const Elastic& elastic = *candidate.gang->elastic;
  std::vector<std::pair<int, Room*>> places;
  for (Room& room : rooms) places.emplace_back(slots_for(candidate, room), &room);
  std::stable_sort(places.begin(), places.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  if (places.empty()) return elastic.ranks;
  const bool on_one = candidate.on.size() == 1;
  int ranks = 0;
  for (const auto& [slots, room] : places) ranks += on_one && ranks > 0 ? 0 : slots;
  ranks = std::min(ranks, most);
  if (ranks <= elastic.ranks) return elastic.ranks;
  int left = ranks;
  for (const auto& [slots, room] : places) {
    const int part = std::min(slots, left);
    const int own = slots - std::max(room->free, 0);
    take(*room, std::max(part - own, 0));
    left -= part;
  }
  return ranks;
}

}  // namespace

Growths growths_of(MonotonicTime now, std::vector<Room> rooms, Shares shares, Millis grow_after) {
  Growths growths;
  for (const Candidate& candidate : candidates(rooms)) {
    const Gang& gang = *candidate.gang;
    const Elastic& elastic = *gang.elastic;
    const int64_t quota = int64_t{elastic.ranks} + shares.left(gang.tenant);
    const int most = static_cast<int>(std::min<int64_t>(elastic.most, quota));
    const int ranks = grown(candidate, most, rooms);
    if (ranks == elastic.ranks) continue;
    const MonotonicTime ripe = gang.began + grow_after;
    if (now < ripe) {
      growths.later = std::min(ripe, growths.later.value_or(ripe));
      continue;
    }
    Job more;
    more.tenant = gang.tenant;
    more.ranks = ranks - elastic.ranks;
    shares.hold(more);
    const bool on_one = candidate.on.size() == 1;
    growths.now.push_back(
        {gang.job_ids, on_one ? candidate.on.front()->worker->id : "", elastic.ranks, ranks});
  }
  return growths;
}

}  // namespace prefixmem::scheduler
