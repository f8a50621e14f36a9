#include "coordinator/scheduler/memory.h"

#include <algorithm>

namespace prefixmem::scheduler {
namespace {

bool gpus_are_too_small(const Worker& worker, const Memory& memory) {
  return worker.gpu_memory > 0 && memory.gpu_base + memory.own > worker.gpu_memory;
}

// Bytes of a slot; 0: not known.
int64_t share_of(const Worker& worker) {
  return worker.slots > 0 ? worker.memory / worker.slots : 0;
}

}  // namespace

bool uses_gpus(const Worker& worker, Device wanted) {
  return worker.device == Device::kCuda && wanted != Device::kCpu;
}

Memory together(const Memory& one, const Memory& other) {
  return {.shared = std::max(one.shared, other.shared),
          .base = std::max(one.base, other.base),
          .gpu_base = std::max(one.gpu_base, other.gpu_base),
          .own = one.own + other.own};
}

int64_t host_bytes(const Memory& memory, int ranks) {
  return memory.shared + ranks * (memory.base + memory.own);
}

int slots_for(const Worker& worker, Device wanted, const Memory& memory, int ranks) {
  if (ranks > worker.slots) return ranks;
  if (uses_gpus(worker, wanted)) return gpus_are_too_small(worker, memory) ? kNever : ranks;
  const int64_t share = share_of(worker);
  if (share == 0) return ranks;
  const int64_t slots = (host_bytes(memory, ranks) + share - 1) / share;
  return slots > worker.slots ? kNever : std::max(static_cast<int>(slots), ranks);
}

int slots_for(const Worker& worker, const Job& job) {
  return slots_for(worker, job.device, job.memory, job.ranks);
}

int ranks_for(const Worker& worker, Device wanted, const Memory& memory, int slots) {
  if (slots <= 0) return 0;
  if (uses_gpus(worker, wanted)) return gpus_are_too_small(worker, memory) ? 0 : slots;
  const int64_t share = share_of(worker), each = memory.base + memory.own;
  if (share == 0) return slots;
  const int64_t left = share * slots - memory.shared;
  if (left < each) return 0;
  return each == 0 ? slots : static_cast<int>(std::min<int64_t>(slots, left / each));
}

int ranks_for(const Worker& worker, const Job& job, int slots) {
  return ranks_for(worker, job.device, job.memory, slots);
}

int slots_held(const Worker& worker, Device wanted, const Memory& memory, int ranks) {
  const int slots = slots_for(worker, wanted, memory, ranks);
  return std::max(ranks, std::min(slots, worker.slots));
}

int64_t bytes_of_slots(const Worker& worker, Device wanted, int slots) {
  return uses_gpus(worker, wanted) ? 0 : slots * share_of(worker);
}

}  // namespace prefixmem::scheduler
