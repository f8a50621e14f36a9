#include "worker/agent/gang/memory_probe.h"

#include "common/host_memory.h"

namespace prefixmem::agent {
namespace {

int64_t cgroup_oom_kills() {
  int64_t kills = 0;
  for (const auto& [mount, folder, unified] : memory_cgroups()) {
    const char* const file = unified ? "memory.events" : "memory.oom_control";
    kills += value_in(folder / file, "oom_kill");
    if (folder != mount) kills += value_in(mount / file, "oom_kill");
  }
  return kills;
}

}  // namespace

MemoryReading read_memory() {
  MemoryReading reading;
  reading.oom_kills = cgroup_oom_kills() + value_in("/proc/vmstat", "oom_kill");
  const HostMemory memory = read_host_memory();
  reading.available_bytes = memory.available;
  reading.total_bytes = memory.total;
  return reading;
}

bool memory_ran_out(const MemoryReading& at_start, const MemoryReading& last_look,
                    int64_t largest_resident_bytes, const MemoryReading& at_end) {
  if (at_end.oom_kills > at_start.oom_kills) return true;
  return last_look.available_bytes < last_look.total_bytes / 20 &&
         largest_resident_bytes > last_look.available_bytes;
}

}  // namespace prefixmem::agent
