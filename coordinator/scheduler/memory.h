// What gangs need of a worker's memory, in slots. A slot stands for an equal share of it: ranks
// that need more than the shares of as many slots as they are hold further ones. So what fits by
// slots fits by memory too. Of a GPU a slot is a rank's part, which is enough or is not.
#pragma once

#include <limits>

#include "coordinator/scheduler/state.h"

namespace prefixmem::scheduler {

inline constexpr int kNever = std::numeric_limits<int>::max();  // slots: no worker has as many

// Whether ranks compute on GPUs there.
bool uses_gpus(const Worker& worker, Device wanted);

// What jobs that train in one gang need.
Memory together(const Memory& one, const Memory& other);

// Of a host that computes without GPUs.
int64_t host_bytes(const Memory& memory, int ranks);

// Slots of the worker that `ranks` of a gang need, at least one each. Pure.
int slots_for(const Worker& worker, Device wanted, const Memory& memory, int ranks);
int slots_for(const Worker& worker, const Job& job);  // all its ranks
// The most ranks for which `slots` of the worker do. Pure.
int ranks_for(const Worker& worker, Device wanted, const Memory& memory, int slots);
int ranks_for(const Worker& worker, const Job& job, int slots);

// Slots that a gang which is there holds: what it needs, but no more than there are, nor fewer than
// its ranks, whatever has become of the worker.
int slots_held(const Worker& worker, Device wanted, const Memory& memory, int ranks);

// Of the host, that ranks which hold `slots` may take together; 0: as many as are free, as it is
// not known or they compute on GPUs.
int64_t bytes_of_slots(const Worker& worker, Device wanted, int slots);

}  // namespace prefixmem::scheduler
