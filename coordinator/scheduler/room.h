// A worker as placement sees it: who holds its slots, and for whom it is kept.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coordinator/scheduler/state.h"

namespace prefixmem::scheduler {

// Attempts that hold slots together.
struct Gang {
  std::string id;
  std::vector<std::string> job_ids = {};  // sorted
  int ranks = 0;
  int64_t priority = 0;
  MonotonicTime began = {};
  std::optional<MonotonicTime> end_by =
      {};                // the latest end, by time limits; none: it has no bound
  bool leaving = false;  // each of its attempts was asked to stop
  std::string bank = {};
  std::optional<size_t> start = {};  // of a placement's starts, where it starts in this one
};

struct Room {
  const Worker* worker = nullptr;
  int free = 0;  // slots; below 0 where the worker has shrunk
  std::vector<Gang> gangs = {};

  // The first waiting job that could run here later, when by time limits it starts here or
  // elsewhere, and how many slots it will not need.
  const Job* keeper = nullptr;
  std::optional<MonotonicTime> keeper_starts_by = {};
  int spare = 0;
};

// By their workers' ids, without lost ones.
std::vector<Room> rooms_of(const State& state);

bool takes_work(const Worker& worker);
bool has_device(const Room& room, const Job& job);
bool could_ever_hold(const Room& room, const Job& job);

// Once all gangs that are leaving have left.
int free_once_left(const Room& room);

// When so many slots are free at the latest, by time limits; none: no limit says.
std::optional<MonotonicTime> free_by(const Room& room, int ranks, MonotonicTime now);

// Slots that a job of `ranks`, which waits, will not need here: in whatever order gangs end, it
// starts no later where others hold so many.
int spare_slots(const Room& room, int ranks);

}  // namespace prefixmem::scheduler
