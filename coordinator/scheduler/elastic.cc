#include "coordinator/scheduler/elastic.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "coordinator/scheduler/memory.h"

namespace prefixmem::scheduler {
namespace {

// One gang with its workers.
struct Candidate {
  const Gang* gang = nullptr;  // its part on one of them
  std::vector<const Room*> on;

  const Elastic& elastic() const { return *gang->elastic; }
};

// In the order in which they grow.
std::vector<Candidate> candidates(const std::vector<Room>& rooms) {
  std::map<std::string_view, Candidate> by_id;
  for (const Room& room : rooms) {
    for (const Gang& gang : room.gangs) {
      const bool starts = gang.start.has_value();  // now, with all that there is
      if (!gang.elastic || gang.elastic->ranks >= gang.elastic->most || starts) continue;
      Candidate& candidate = by_id[gang.id];
      candidate.gang = &gang;
      candidate.on.push_back(&room);
    }
  }
  std::vector<Candidate> all;
  for (auto& [id, candidate] : by_id) all.push_back(std::move(candidate));
  const auto key = [](const Gang& gang) {
    return std::tuple(!gang.leaving, -gang.priority, gang.began, std::string_view(gang.id));
  };
  std::sort(all.begin(), all.end(),
            [&](const Candidate& a, const Candidate& b) { return key(*a.gang) < key(*b.gang); });
  return all;
}

// Whether its bits may go on there.
bool suits(const Candidate& candidate, const Room& room) {
  const Worker& own = *candidate.on.front()->worker;
  const Elastic& elastic = candidate.elastic();
  if (elastic.same_make && room.worker->make != own.make) return false;
  return !elastic.same_slots || room.worker->slots == own.slots;
}

// Whether a job waits for a worker that the gang could come to lie on. Which of the two gets it is
// then a matter of turns.
bool is_waited_for(const std::vector<Room>& rooms, const Candidate& candidate) {
  return std::any_of(rooms.begin(), rooms.end(), [&](const Room& room) {
    return room.keeper != nullptr && has_device(room, candidate.elastic().device);
  });
}

// Ranks that the worker may give the gang once it has left.
int ranks_of(const Candidate& candidate, const Job& job, const Room& room) {
  if (!takes_work(*room.worker) || !suits(candidate, room)) return 0;
  int slots = std::max(room.free, 0);
  for (const Gang& gang : room.gangs) slots += gang.id == candidate.gang->id ? gang.slots : 0;
  return ranks_for(*room.worker, job, slots);
}

Job job_of(const Candidate& candidate, const Shares& shares) {
  const Elastic& elastic = candidate.elastic();
  Job job{.id = candidate.gang->id, .tenant = candidate.gang->tenant, .ranks = elastic.ranks};
  const int64_t quota = int64_t{elastic.ranks} + shares.left(job.tenant);
  job.least = elastic.least;
  job.most = static_cast<int>(std::min<int64_t>(elastic.most, quota));
  job.device = elastic.device;
  job.memory = elastic.memory;
  return job;
}

// Since when nothing has started or ended on the workers that the gang has and would come to have.
MonotonicTime settled_since(const Candidate& candidate, const Job& job, int ranks,
                            const std::vector<Room>& rooms) {
  MonotonicTime since{};
  for (const Room* room : candidate.on) since = std::max(since, room->worker->settled);
  for (Pool pool : pools_of(rooms, job)) {
    const auto most = [&](const Room* room) { return ranks_of(candidate, job, *room); };
    std::stable_sort(pool.begin(), pool.end(),
                     [&](const Room* a, const Room* b) { return most(a) > most(b); });
    int left = ranks;
    MonotonicTime of_pool = since;
    for (auto room = pool.begin(); room != pool.end() && left > 0; ++room) {
      of_pool = std::max(of_pool, (*room)->worker->settled);
      left -= most(*room);
    }
    if (left <= 0) return of_pool;
  }
  return since;
}

}  // namespace

int ranks_now(const std::vector<Room>& rooms, const Job& job, const RanksOf& ranks_of) {
  int largest = 0;  // ranks of a worker
  for (const Room& room : rooms) {
    if (!has_device(room, job)) continue;
    largest = std::max(largest, ranks_for(*room.worker, job, room.worker->slots));
  }
  for (const Pool& pool : pools_of(rooms, job)) {
    int single = 0, together = 0;
    for (const Room* room : pool) {
      const int ranks = ranks_of(*room);
      single = std::max(single, ranks);
      together += ranks;
    }
    if (single >= job.least) return std::min(single, job.most);
    if (job.least > largest && together >= job.least) return std::min(together, job.most);
  }
  return 0;
}

Growths growths_of(MonotonicTime now, const std::vector<Room>& rooms, const Shares& shares,
                   Millis grow_after) {
  Growths growths;
  for (const Candidate& candidate : candidates(rooms)) {
    if (candidate.gang->leaving) return {};
    const int from = candidate.elastic().ranks;
    if (is_waited_for(rooms, candidate)) continue;
    const Job job = job_of(candidate, shares);
    if (shares.bar(job).kind == Bar::Kind::kQuota) continue;  // it would not come back
    const int to =
        ranks_now(rooms, job, [&](const Room& room) { return ranks_of(candidate, job, room); });
    if (to <= from) continue;
    const MonotonicTime ripe = settled_since(candidate, job, to, rooms) + grow_after;
    if (now < ripe) {
      growths.later = std::min(ripe, growths.later.value_or(ripe));
      continue;
    }
    const bool spread = candidate.on.size() > 1;
    growths.now = {candidate.gang->job_ids, spread ? "" : candidate.on.front()->worker->id, from,
                   to};
    break;
  }
  return growths;
}

}  // namespace prefixmem::scheduler
