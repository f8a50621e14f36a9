// Which gangs make room for a job of higher priority.
#pragma once

#include <cstdint>
#include <vector>

#include "coordinator/scheduler/room.h"

namespace prefixmem::scheduler {

// Gangs of one worker.
struct Victims {
  const Room* room = nullptr;  // null: there is no way
  std::vector<Gang> gangs = {};
};

// The fewest gangs of strictly lower priority without which the job fits on one of the rooms, among
// them the ones of lowest priority, then the youngest. Rooms that are kept for another job, take no
// work or could never hold it are passed over. The job is not to fit anywhere as it is. Pure.
Victims choose_victims(const std::vector<Room>& rooms, const Job& job);

// The same over a pool that is to hold the job together: each gang with its ranks in all of it.
// Rooms that take no work are passed over. Where ranks need more than a slot's memory it is not the
// fewest, but none that could be spared. Empty: there is no way.
std::vector<Gang> choose_victims_among(const Pool& pool, const Job& job);

}  // namespace prefixmem::scheduler
