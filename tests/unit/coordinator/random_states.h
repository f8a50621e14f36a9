// Random clusters for the scheduler's property tests. A seed gives the same one always.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/unit/coordinator/scheduler_states.h"

namespace prefixmem::scheduler {

class Random {
 public:
  explicit Random(unsigned seed) : bits_(seed) {}
  int below(int end) { return static_cast<int>(bits_() % static_cast<unsigned>(end)); }
  bool one_in(int count) { return below(count) == 0; }

 private:
  std::mt19937 bits_;
};

inline bool is_open(const Worker& worker) {
  return worker.connected && !worker.lost && !worker.draining && !worker.cordoned &&
         !worker.unhealthy;
}

inline Device any_device(Random& random) {
  return std::array{Device::kAuto, Device::kCpu, Device::kCuda}[random.below(3)];
}

inline std::vector<Worker> any_workers(Random& random) {
  std::vector<Worker> workers;
  for (int i = random.below(6); i > 0; --i) {
    Worker one = worker("w" + std::to_string(i), 1 + random.below(8),
                        random.one_in(2) ? Device::kCuda : Device::kCpu);
    one.lost = random.one_in(8);
    one.connected = !one.lost && !random.one_in(5);
    one.draining = random.one_in(8);
    one.cordoned = random.one_in(8);
    one.unhealthy = random.one_in(8);
    if (random.one_in(2)) one.host = "near";
    workers.push_back(one);
  }
  return workers;
}

inline TimeLimit any_limit(Random& random) {
  if (random.one_in(2)) return {};
  return {.text = "some", .left = std::chrono::seconds(1 + random.below(300))};
}

inline Job any_job(Random& random, int order) {
  Job one = job("j" + std::to_string(order), order, 1 + random.below(10), any_device(random));
  one.priority = random.below(3) - 1;
  one.time = any_limit(random);
  return one;
}

// A trial of one of a few sweeps: those of one are alike in what their gang needs.
inline Job any_trial(Random& random, int order) {
  const int sweep = random.below(3);
  Job one = job("j" + std::to_string(order), order, 1 + 2 * sweep, Device::kAuto);
  one.priority = sweep - 1;
  one.bank = "sweep-" + std::to_string(sweep);
  one.resumes = random.one_in(4);
  if (sweep == 1) one.time = {.text = "some", .left = std::chrono::seconds(1 + random.below(90))};
  return one;
}

// Of workers and jobs alike: some are not known, some jobs need more than there is.
inline Memory any_memory(Random& random) {
  if (random.one_in(3)) return {};
  return {.shared = random.below(6), .base = 1 + random.below(5), .own = random.below(3)};
}
inline void size_memory(Random& random, Worker& worker) {
  worker.memory = worker.slots * std::array{0, 4, 8}[random.below(3)] + random.below(worker.slots);
}

inline bool has_device(const Worker& worker, const Job& job) {
  return job.device != Device::kCuda || worker.device == Device::kCuda;
}

// Slots of the worker that so many ranks hold: counted up from one each until their shares do.
inline int slots_needed(const Worker& worker, const Job& job, int ranks) {
  const bool on_gpus = worker.device == Device::kCuda && job.device != Device::kCpu;
  const int64_t share = worker.memory / worker.slots;
  const Memory& memory = job.memory;
  if (on_gpus || share == 0) return ranks;
  int slots = ranks;
  while (slots <= worker.slots &&
         slots * share < memory.shared + ranks * (memory.base + memory.own))
    ++slots;
  return slots;
}

inline bool could_hold(const Worker& worker, const Job& job) {
  return has_device(worker, job) && slots_needed(worker, job, job.ranks) <= worker.slots;
}

// Ranks that so many of its slots could hold with others' help.
inline int part_of(const Worker& worker, const Job& job, int slots) {
  int ranks = 0;
  while (slots_needed(worker, job, ranks + 1) <= slots) ++ranks;
  return ranks;
}

// Of a job with the others of its gang.
inline Job with_members(Job job, const std::vector<Job>& others) {
  for (const Job& other : others) {
    job.memory.shared = std::max(job.memory.shared, other.memory.shared);
    job.memory.base = std::max(job.memory.base, other.memory.base);
    job.memory.own += other.memory.own;
  }
  return job;
}

inline std::optional<MonotonicTime> end_of(const Job& job, MonotonicTime began) {
  if (job.time.text.empty()) return std::nullopt;
  return began + job.time.left + kLeaveGrace;
}

// Gangs fit their workers, as they would have come to be. Half of them know of memory.
inline State any_state(unsigned seed) {
  Random random(seed), sizes(seed);
  const bool sized = seed % 2 == 1;
  State state{.workers = any_workers(random)};
  for (Worker& worker : state.workers) {
    if (sized) size_memory(sizes, worker);
  }
  int order = 0;
  for (const Worker& on : state.workers) {
    int free = on.lost ? 0 : on.slots;
    for (int tries = random.below(4); tries > 0; --tries) {
      ++order;
      Job one = random.one_in(2) ? any_job(random, order) : any_trial(random, order);
      if (sized) one.memory = any_memory(sizes);
      const int slots = slots_needed(on, one, one.ranks);
      if (slots > free || !has_device(on, one)) continue;
      free -= slots;
      Attempt attempt = placed(one, on.id);
      attempt.began = MonotonicTime(std::chrono::seconds(-random.below(20)));
      attempt.end_by = end_of(one, attempt.began);
      if (random.one_in(6)) attempt.stop = unavailable("it is to leave");
      state.attempts.push_back(attempt);
      for (; random.one_in(2); ++order) {
        attempt.job.id = "m" + std::to_string(order);
        attempt.job.memory.own = 0;  // it came in without a further slot
        state.attempts.push_back(attempt);
      }
    }
  }
  for (int i = random.below(12); i > 0; --i) {
    ++order;
    state.queue.push_back(random.one_in(2) ? any_job(random, order) : any_trial(random, order));
    if (sized) state.queue.back().memory = any_memory(sizes);
  }
  std::shuffle(state.queue.begin(), state.queue.end(), std::mt19937(seed));
  return state;
}

template <class T>
const T& by_id(const std::vector<T>& all, const std::string& id) {
  return *std::find_if(all.begin(), all.end(), [&](const T& one) { return one.id == id; });
}

inline bool before(const Job& a, const Job& b) {
  return std::tuple(-a.priority, a.order) < std::tuple(-b.priority, b.order);
}

// No worker that is here could ever hold it alone.
inline bool is_wide(const State& state, const Job& job) {
  return std::none_of(state.workers.begin(), state.workers.end(), [&](const Worker& worker) {
    return !worker.lost && could_hold(worker, job);
  });
}

// Whether workers that `counts` could hold it together: all with GPUs, or all without, or of a job
// that is to compute on the CPU any.
template <class Counts>
bool together_hold(const State& state, const Job& job, Counts counts) {
  std::map<Device, int> ranks;
  for (const Worker& worker : state.workers) {
    if (worker.lost || !counts(worker) || !has_device(worker, job)) continue;
    ranks[job.device == Device::kCpu ? Device::kCpu : worker.device] +=
        part_of(worker, job, worker.slots);
  }
  return std::any_of(ranks.begin(), ranks.end(),
                     [&](const auto& entry) { return entry.second >= job.ranks; });
}

// It waits for several workers, and keeps them.
inline bool keeps_several(const State& state, const Job& job) {
  return is_wide(state, job) && together_hold(state, job, [](const Worker&) { return true; });
}

// Adds a gang as it starts.
inline void apply(const Start& start, MonotonicTime now, State& state) {
  const std::string gang = !start.gang.empty() ? start.gang
                                               : start.job_ids.front() + "/" +
                                                     std::to_string(now.time_since_epoch().count());
  for (const std::string& id : start.job_ids) {
    Attempt attempt = placed(by_id(state.queue, id), start.worker_id, 1, gang);
    attempt.job.ranks = start.ranks;
    attempt.seats = start.seats;
    attempt.began = now;
    attempt.end_by = end_of(attempt.job, now);
    state.attempts.push_back(attempt);
    std::erase_if(state.queue, [&](const Job& job) { return job.id == id; });
  }
}

// What the coordinator notes of a placement before its decisions take effect.
inline void note_turns(const Placement& placement, State& state, int64_t& last) {
  for (const std::string& id : placement.turns) {
    for (Job& job : state.queue) {
      if (job.id == id) job.turn = ++last;
    }
  }
}

// The state once the decisions have taken effect.
inline State after(const State& state, const Placement& placement, MonotonicTime now = {}) {
  State next = state;
  for (const Start& start : placement.starts) apply(start, now, next);
  for (const Leave& leave : placement.leaves) {
    for (Attempt& attempt : next.attempts) {
      const auto& ids = leave.job_ids;
      if (std::find(ids.begin(), ids.end(), attempt.job.id) == ids.end()) continue;
      attempt.stop = unavailable(leave.reason);
    }
  }
  return next;
}

// It passes a job that waits.
inline bool is_ahead(const Start& start) {
  return start.reason.find("ahead of") != std::string::npos;
}

// Slots that gangs hold, by worker.
inline std::map<std::string, int> used_slots(const State& state) {
  std::map<std::string, std::vector<Attempt>> gangs;
  for (const Attempt& attempt : state.attempts) gangs[attempt.gang].push_back(attempt);
  std::map<std::string, int> used;
  for (const auto& [id, attempts] : gangs) {
    const Attempt& first = attempts.front();
    std::vector<Job> others;
    for (size_t i = 1; i < attempts.size(); ++i) others.push_back(attempts[i].job);
    const Job job = with_members(first.job, others);
    const auto add = [&](const std::string& worker_id, int ranks) {
      used[worker_id] += slots_needed(by_id(state.workers, worker_id), job, ranks);
    };
    if (first.seats.empty()) add(first.worker_id, job.ranks);
    for (const Seat& seat : first.seats) add(seat.worker_id, seat.ranks);
  }
  return used;
}

}  // namespace prefixmem::scheduler
