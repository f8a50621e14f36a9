// Which gangs that run on fewer ranks than they want come back with more.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coordinator/scheduler/room.h"
#include "coordinator/scheduler/shares.h"

namespace prefixmem::scheduler {

// A gang that writes a checkpoint, goes back into the queue and starts again.
struct Growth {
  std::vector<std::string> job_ids;
  std::string worker_id;  // where it runs; empty: on several
  int from = 0, to = 0;   // ranks
};

struct Growths {
  std::vector<Growth> now;
  std::optional<MonotonicTime> later;  // the first time at which a gang could grow that may not yet
};

// `rooms` are as a placement leaves them: what is free there and kept by nobody may be had, within
// the tenant's quota. The gangs of highest priority come first, the oldest of those; each is to
// have gained a rank at least and to have run for `grow_after`. One on one worker grows there or
// moves to another, one on several grows over all that take work; no slot is promised twice. Pure.
Growths growths_of(MonotonicTime now, std::vector<Room> rooms, Shares shares, Millis grow_after);

}  // namespace prefixmem::scheduler
