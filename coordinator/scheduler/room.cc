#include "coordinator/scheduler/room.h"

#include <algorithm>
#include <map>

#include "coordinator/scheduler/memory.h"

namespace prefixmem::scheduler {
namespace {

void add(const Attempt& attempt, const Worker& worker, Gang& gang) {
  const bool first = gang.job_ids.empty();
  gang.id = attempt.gang;
  gang.job_ids.push_back(attempt.job.id);
  gang.tenant = attempt.job.tenant;
  gang.spread = !attempt.seats.empty();
  gang.bank = gang.spread ? "" : attempt.job.bank;
  gang.ranks = ranks_on(attempt, worker.id);
  gang.memory = first ? attempt.job.memory : together(gang.memory, attempt.job.memory);
  const int needed = slots_held(worker, attempt.job.device, gang.memory, gang.ranks);
  // What it has begun with it keeps, whoever of it has ended: its ranks go on with that memory.
  gang.slots = std::max({gang.slots, needed, std::min(attempt.slots, worker.slots)});
  gang.priority = attempt.job.priority;
  gang.elastic = elastic_of(attempt.job);
  gang.began = first ? attempt.began : std::min(gang.began, attempt.began);
  const bool bounded = attempt.end_by && (first || gang.end_by);
  gang.end_by = bounded ? std::max(attempt.end_by, gang.end_by) : std::nullopt;
  gang.leaving = (first || gang.leaving) && !attempt.stop.ok();
}

// The most slots that some of the gangs can hold together, up to `bound`.
int fullest(const Gangs& gangs, int bound) {
  if (bound == 0) return 0;
  std::vector<char> reachable(static_cast<size_t>(bound) + 1, 0);
  reachable[0] = 1;
  int most = 0;
  for (const Gang& gang : gangs) {
    for (int sum = bound; sum >= gang.slots; --sum) {
      if (reachable[static_cast<size_t>(sum - gang.slots)] == 0) continue;
      reachable[static_cast<size_t>(sum)] = 1;
      most = std::max(most, sum);
    }
  }
  return most;
}

}  // namespace

std::optional<Elastic> elastic_of(const Job& job) {
  if (!job.is_elastic()) return std::nullopt;
  return Elastic{job.ranks,     job.least,      job.most,  job.device,
                 job.same_make, job.same_slots, job.memory};
}

int ranks_on(const Attempt& attempt, const std::string& worker_id) {
  if (attempt.seats.empty()) return attempt.worker_id == worker_id ? attempt.job.ranks : 0;
  int ranks = 0;
  for (const Seat& seat : attempt.seats) ranks += seat.worker_id == worker_id ? seat.ranks : 0;
  return ranks;
}

const std::vector<Gang>& Gangs::all() const {
  static const std::vector<Gang> kNone;
  if (changed_) return *changed_;
  return running_ ? *running_ : kNone;
}

std::vector<Gang>& Gangs::change() {
  if (!changed_) changed_ = all();
  return *changed_;
}

RunningGangs gangs_of(const std::vector<Attempt>& attempts, const Worker& worker) {
  std::map<std::string_view, Gang> by_id;
  for (const Attempt& attempt : attempts) add(attempt, worker, by_id[attempt.gang]);
  auto gangs = std::make_shared<std::vector<Gang>>();
  for (auto& [id, gang] : by_id) {
    std::sort(gang.job_ids.begin(), gang.job_ids.end());
    gangs->push_back(std::move(gang));
  }
  return gangs;
}

std::vector<Room> rooms_of(const std::vector<Worker>& workers,
                           const std::function<RunningGangs(const Worker&)>& gangs_on) {
  std::vector<Room> rooms;
  rooms.reserve(workers.size());
  for (const Worker& worker : workers) {
    if (worker.lost) continue;
    Room& room = rooms.emplace_back(
        Room{.worker = &worker, .free = worker.slots, .gangs = Gangs(gangs_on(worker))});
    for (const Gang& gang : room.gangs) room.free -= gang.slots;
  }
  std::sort(rooms.begin(), rooms.end(),
            [](const Room& a, const Room& b) { return a.worker->id < b.worker->id; });
  return rooms;
}

std::vector<Room> rooms_of(const State& state) {
  std::map<std::string, std::vector<Attempt>> placed;  // by worker
  for (const Attempt& attempt : state.attempts) {
    if (attempt.seats.empty()) placed[attempt.worker_id].push_back(attempt);
    for (const Seat& seat : attempt.seats) placed[seat.worker_id].push_back(attempt);
  }
  return rooms_of(state.workers,
                  [&](const Worker& worker) { return gangs_of(placed[worker.id], worker); });
}

std::vector<Pool> pools_of(const std::vector<Room>& rooms, const Job& job) {
  Pool with_gpus, without;
  for (const Room& room : rooms) {
    const bool gpus = uses_gpus(*room.worker, job.device);
    if (has_device(room, job)) (gpus ? with_gpus : without).push_back(&room);
  }
  std::vector<Pool> pools;
  for (Pool* pool : {&with_gpus, &without}) {
    if (!pool->empty()) pools.push_back(std::move(*pool));
  }
  return pools;
}

int slots_of(const Pool& pool) {
  int slots = 0;
  for (const Room* room : pool) slots += room->worker->slots;
  return slots;
}

int ranks_in(const Pool& pool, const Job& job) {
  int ranks = 0;
  for (const Room* room : pool) ranks += ranks_for(*room->worker, job, room->worker->slots);
  return ranks;
}

bool takes_work(const Worker& worker) {
  return worker.connected && !worker.draining && !worker.cordoned && !worker.unhealthy;
}

// A cpu job runs on any worker; only a cuda job is choosy.
bool has_device(const Worker& worker, Device wanted) {
  return wanted != Device::kCuda || worker.device == Device::kCuda;
}
bool has_device(const Room& room, Device wanted) { return has_device(*room.worker, wanted); }
bool has_device(const Room& room, const Job& job) { return has_device(room, job.device); }

bool could_ever_hold(const Room& room, const Job& job) {
  return has_device(room, job) && slots_for(*room.worker, job) <= room.worker->slots;
}

int free_once_left(const Room& room) {
  int slots = room.free;
  for (const Gang& gang : room.gangs) slots += gang.leaving ? gang.slots : 0;
  return slots;
}

std::optional<MonotonicTime> free_by(const Pool& pool, const Job& job, MonotonicTime now) {
  struct End {
    MonotonicTime time;
    size_t room;
    int slots;  // that it frees
  };
  std::vector<End> ends;
  std::vector<int> free;  // by room
  int ranks = 0;
  const auto add = [&](size_t room, int slots) {
    const Worker& worker = *pool[room]->worker;
    ranks -= ranks_for(worker, job, free[room]);
    ranks += ranks_for(worker, job, free[room] += slots);
  };
  for (size_t room = 0; room < pool.size(); ++room) {
    free.push_back(0);
    add(room, pool[room]->free);
    for (const Gang& gang : pool[room]->gangs) {
      if (gang.end_by) ends.push_back({std::max(*gang.end_by, now), room, gang.slots});
    }
  }
  std::sort(ends.begin(), ends.end(), [](const End& a, const End& b) { return a.time < b.time; });
  MonotonicTime when = now;
  for (auto end = ends.begin(); ranks < job.ranks && end != ends.end(); ++end) {
    when = end->time;
    add(end->room, end->slots);
  }
  return ranks < job.ranks ? std::nullopt : std::optional(when);
}

int spare_slots(const Room& room, const Job& job) {
  const int beside = room.worker->slots - slots_for(*room.worker, job);
  if (beside <= 0) return 0;
  return beside - fullest(room.gangs, beside);
}

}  // namespace prefixmem::scheduler
