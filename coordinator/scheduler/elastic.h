// Jobs that run on fewer ranks than they want: with how many they start, and when they grow.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/scheduler/room.h"
#include "coordinator/scheduler/shares.h"

namespace prefixmem::scheduler {

// Ranks that a worker may give a job.
using RanksOf = std::function<int(const Room&)>;

// The most ranks, from `job.least` to `job.most`, that the job starts with: on one worker; on
// several where no worker that is here could hold even the fewest. With GPUs, where the job
// takes them and they are enough, though there were more ranks without. 0: it does not start. Pure.
int ranks_now(const std::vector<Room>& rooms, const Job& job, const RanksOf& ranks_of);

// A gang that writes a checkpoint, goes back into the queue and starts again.
struct Growth {
  std::vector<std::string> job_ids;
  std::string worker_id;  // where it runs; empty: on several
  int from = 0, to = 0;   // ranks
};

struct Growths {
  std::optional<Growth> now;
  std::optional<MonotonicTime> later;  // the first time at which a gang could grow that may not yet
};

// Who comes back with more, by ranks_now: of those that could the one of highest priority, the
// oldest of them, and nobody while an elastic gang is leaving, so that each finds what it was told.
// `rooms` are as a placement leaves them: what is free there may be had, within the tenant's
// quotas, where no job waits for any worker of a device that would do and nothing has started or
// ended for `grow_after`. Pure.
Growths growths_of(MonotonicTime now, const std::vector<Room>& rooms, const Shares& shares,
                   Millis grow_after);

}  // namespace prefixmem::scheduler
