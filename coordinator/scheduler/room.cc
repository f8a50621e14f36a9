#include "coordinator/scheduler/room.h"

#include <algorithm>
#include <map>

namespace prefixmem::scheduler {
namespace {

void add(const Attempt& attempt, const std::string& worker_id, Gang& gang) {
  const bool first = gang.job_ids.empty();
  gang.id = attempt.gang;
  gang.job_ids.push_back(attempt.job.id);
  gang.tenant = attempt.job.tenant;
  gang.spread = !attempt.seats.empty();
  gang.bank = gang.spread ? "" : attempt.job.bank;
  gang.ranks = ranks_on(attempt, worker_id);
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
    for (int sum = bound; sum >= gang.ranks; --sum) {
      if (reachable[static_cast<size_t>(sum - gang.ranks)] == 0) continue;
      reachable[static_cast<size_t>(sum)] = 1;
      most = std::max(most, sum);
    }
  }
  return most;
}

}  // namespace

std::optional<Elastic> elastic_of(const Job& job) {
  if (!job.is_elastic()) return std::nullopt;
  return Elastic{job.ranks, job.least, job.most, job.device, job.same_make, job.same_slots};
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

RunningGangs gangs_of(const std::vector<Attempt>& attempts, const std::string& worker_id) {
  std::map<std::string_view, Gang> by_id;
  for (const Attempt& attempt : attempts) add(attempt, worker_id, by_id[attempt.gang]);
  auto gangs = std::make_shared<std::vector<Gang>>();
  for (auto& [id, gang] : by_id) {
    std::sort(gang.job_ids.begin(), gang.job_ids.end());
    gangs->push_back(std::move(gang));
  }
  return gangs;
}

std::vector<Room> rooms_of(const std::vector<Worker>& workers,
                           const std::function<RunningGangs(const std::string&)>& gangs_on) {
  std::vector<Room> rooms;
  rooms.reserve(workers.size());
  for (const Worker& worker : workers) {
    if (worker.lost) continue;
    Room& room = rooms.emplace_back(
        Room{.worker = &worker, .free = worker.slots, .gangs = Gangs(gangs_on(worker.id))});
    for (const Gang& gang : room.gangs) room.free -= gang.ranks;
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
  return rooms_of(state.workers, [&](const std::string& id) { return gangs_of(placed[id], id); });
}

std::vector<Pool> pools_of(const std::vector<Room>& rooms, const Job& job) {
  Pool with_gpus, without;
  for (const Room& room : rooms) {
    const bool gpus = job.device != Device::kCpu && room.worker->device == Device::kCuda;
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

bool takes_work(const Worker& worker) {
  return worker.connected && !worker.draining && !worker.cordoned;
}

// A cpu job runs on any worker; only a cuda job is choosy.
bool has_device(const Room& room, Device wanted) {
  return wanted != Device::kCuda || room.worker->device == Device::kCuda;
}
bool has_device(const Room& room, const Job& job) { return has_device(room, job.device); }

bool could_ever_hold(const Room& room, const Job& job) {
  return has_device(room, job) && room.worker->slots >= job.ranks;
}

int free_once_left(const Room& room) {
  int slots = room.free;
  for (const Gang& gang : room.gangs) slots += gang.leaving ? gang.ranks : 0;
  return slots;
}

std::optional<MonotonicTime> free_by(const Pool& pool, int ranks, MonotonicTime now) {
  std::vector<std::pair<MonotonicTime, int>> ends;  // and the slots that they free
  int free = 0;
  for (const Room* room : pool) {
    free += room->free;
    for (const Gang& gang : room->gangs) {
      if (gang.end_by) ends.emplace_back(std::max(*gang.end_by, now), gang.ranks);
    }
  }
  std::sort(ends.begin(), ends.end());
  MonotonicTime when = now;
  for (auto end = ends.begin(); free < ranks && end != ends.end(); ++end) {
    when = end->first;
    free += end->second;
  }
  return free < ranks ? std::nullopt : std::optional(when);
}

int spare_slots(const Room& room, int ranks) {
  const int beside = room.worker->slots - ranks;
  if (beside <= 0) return 0;
  return beside - fullest(room.gangs, beside);
}

}  // namespace prefixmem::scheduler
