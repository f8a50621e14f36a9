// What waits for slots, as one sees it who can bring workers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "coordinator/scheduler/queue.h"
#include "coordinator/scheduler/room.h"
#include "coordinator/scheduler/state.h"

namespace prefixmem::scheduler {

// Gangs that are alike.
struct Want {
  int ranks = 1;
  Device device = Device::kAuto;
  int64_t gangs = 0;
  Memory memory = {};
};

// A worker that is not lost.
struct Place {
  std::string allocation = {};  // of a batch system; empty: none
  int slots = 0, free = 0;
  Device device = Device::kCpu;
  bool takes_work = false;
  bool busy = false;                   // a gang is there
  int64_t memory = 0, gpu_memory = 0;  // of Worker
};

struct Demand {
  std::vector<Want> wants;  // those with most ranks first
  std::vector<Place> places;
};

// A job that runs on fewer ranks too wants the fewest. Trials that may share a gang want as few
// gangs as hold them. What a tenant's quotas keep waiting is not wanted: more workers would not
// help it. Pure.
Demand demand_of(const std::vector<Room>& rooms, const std::vector<Tenant>& tenants,
                 const Queue& queue, const Config& config);

}  // namespace prefixmem::scheduler
