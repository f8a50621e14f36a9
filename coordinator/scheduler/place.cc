#include "coordinator/scheduler/place.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "coordinator/scheduler/banks.h"

namespace prefixmem::scheduler {
namespace {

struct Room {
  const Worker* worker = nullptr;
  int free = 0;
  bool kept = false;  // for a job further ahead
};

std::vector<Room> rooms_of(const State& state) {
  std::map<std::string_view, int> used;
  std::set<std::string_view> gangs;
  for (const Attempt& attempt : state.attempts) {
    if (gangs.insert(attempt.gang).second) used[attempt.worker_id] += attempt.job.ranks;
  }
  std::vector<Room> rooms;
  for (const Worker& worker : state.workers) {
    if (!worker.lost) rooms.push_back({&worker, worker.slots - used[worker.id]});
  }
  return rooms;
}

std::vector<const Job*> in_turn(const std::vector<Job>& queue) {
  std::vector<const Job*> jobs;
  jobs.reserve(queue.size());
  for (const Job& job : queue) jobs.push_back(&job);
  std::sort(jobs.begin(), jobs.end(), [](const Job* a, const Job* b) {
    return std::tuple(-a->priority, a->order) < std::tuple(-b->priority, b->order);
  });
  return jobs;
}

// A cpu job runs on any worker; only a cuda job is choosy.
bool matches(const Job& job, const Worker& worker) {
  return job.device != Device::kCuda || worker.device == Device::kCuda;
}

bool could_ever_hold(const Room& room, const Job& job) {
  return matches(job, *room.worker) && room.worker->slots >= job.ranks;
}

bool takes_work(const Worker& worker) {
  return worker.connected && !worker.draining && !worker.cordoned;
}

bool holds_now(const Room& room, const Job& job) {
  return could_ever_hold(room, job) && takes_work(*room.worker) && !room.kept &&
         room.free >= job.ranks;
}

auto preference(const Room& room, const Job& job) {
  const Device wanted = job.device == Device::kAuto ? Device::kCuda : job.device;
  return std::tuple(room.worker->device != wanted, room.free, room.worker->id);
}

Room* best_room(std::vector<Room>& rooms, const Job& job) {
  Room* best = nullptr;
  for (Room& room : rooms) {
    if (!holds_now(room, job)) continue;
    if (best == nullptr || preference(room, job) < preference(*best, job)) best = &room;
  }
  return best;
}

// How many gangs of such a job could start now on workers like the best one.
int places_like(const Room& best, const std::vector<Room>& rooms, const Job& job) {
  int places = 0;
  for (const Room& room : rooms) {
    if (room.worker->device == best.worker->device && holds_now(room, job)) {
      places += room.free / job.ranks;
    }
  }
  return places;
}

std::string ranks_text(int ranks) {
  return fmt::format("{} {}", ranks, ranks == 1 ? "rank" : "ranks");
}

std::string slots_text(int slots) {
  return fmt::format("{} {}", slots, slots == 1 ? "slot" : "slots");
}

// Why no worker that is here can ever hold the job.
std::string never_fits(const std::vector<Room>& rooms, const Job& job) {
  if (rooms.empty()) return "no worker is connected";
  int largest = 0;
  for (const Room& room : rooms) {
    if (matches(job, *room.worker)) largest = std::max(largest, room.worker->slots);
  }
  if (largest == 0) return "needs device cuda, no connected worker has it";
  return fmt::format(
      "needs {}, the largest worker has {} (a gang over several workers is not possible yet)",
      ranks_text(job.ranks), slots_text(largest));
}

// Why none of those that could hold the job takes any now.
std::string none_takes_work(const std::vector<Room>& rooms, const Job& job) {
  std::set<std::string_view> cordoned;
  for (const Room& room : rooms) {
    if (!could_ever_hold(room, job)) continue;
    if (!room.worker->cordoned) return "waits for a worker to reconnect";
    cordoned.insert(room.worker->id);
  }
  return fmt::format("every worker that it fits is cordoned ({})", fmt::join(cordoned, ", "));
}

// Keeps the workers that the job could run on later, and says what it waits for.
std::string wait_in_turn(std::vector<Room>& rooms, const Job& job) {
  bool possible = false;
  bool first = false;
  bool here = false;
  for (Room& room : rooms) {
    if (!could_ever_hold(room, job)) continue;
    possible = true;
    first |= !room.kept;
    here |= takes_work(*room.worker);
    room.kept = true;
  }
  if (!possible) return never_fits(rooms, job);
  if (!first) return "waits behind earlier jobs";
  if (!here) return none_takes_work(rooms, job);
  return fmt::format("waits for {} of one worker to be free", slots_text(job.ranks));
}

Start start_of(const std::vector<const Job*>& jobs, const Worker& worker) {
  Start start{.job_ids = {}, .worker_id = worker.id, .reason = {}};
  for (const Job* job : jobs) start.job_ids.push_back(job->id);
  start.reason = fmt::format("{} on worker {}", ranks_text(jobs.front()->ranks), worker.id);
  if (jobs.size() > 1) start.reason += fmt::format(", shared by {} jobs", jobs.size());
  return start;
}

}  // namespace

Placement place(const State& state, const Config& config) {
  Placement placement;
  std::vector<Room> rooms = rooms_of(state);
  const std::vector<const Job*> jobs = in_turn(state.queue);
  Banks banks(jobs, config.bank_limit);
  for (const Job* job : jobs) {
    if (banks.has_started(*job)) continue;
    Room* room = best_room(rooms, *job);
    if (room == nullptr) {
      placement.waits.push_back({job->id, wait_in_turn(rooms, *job)});
      continue;
    }
    const auto members = banks.start(*job, places_like(*room, rooms, *job));
    room->free -= job->ranks;
    placement.starts.push_back(start_of(members, *room->worker));
  }
  return placement;
}

}  // namespace prefixmem::scheduler
