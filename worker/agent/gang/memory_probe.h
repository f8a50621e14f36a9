// Tells a rank that the kernel killed for want of memory from one that somebody killed.
#pragma once

#include <cstdint>
#include <functional>

namespace prefixmem::agent {

struct MemoryReading {
  int64_t oom_kills = 0;        // so far, in this process's cgroup and host
  int64_t available_bytes = 0;  // of the host or this process's cgroup
  int64_t total_bytes = 0;
};

using MemoryProbe = std::function<MemoryReading()>;

// From /proc and the memory cgroup, version 1 or 2; what cannot be read is 0.
MemoryReading read_memory();

// Whether a SIGKILL that we did not send was for memory: the kernel has counted such a kill since
// the gang's start, or at the last look less than a twentieth of the host's memory was available
// and its largest process held more than that. Pure.
bool memory_ran_out(const MemoryReading& at_start, const MemoryReading& last_look,
                    int64_t largest_resident_bytes, const MemoryReading& at_end);

}  // namespace prefixmem::agent
