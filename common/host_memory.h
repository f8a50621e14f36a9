// Memory of this host, as far as this process may use it.
#pragma once

#include <cstdint>
#include <filesystem>

namespace prefixmem {

// Bytes; what cannot be read is 0. Of a memory cgroup with a limit below the host's: the limit, and
// what is left of it.
struct HostMemory {
  int64_t total = 0;
  int64_t available = 0;
};

// From /proc/meminfo and the memory cgroup, version 1 or 2, at `root`.
HostMemory read_host_memory(const std::filesystem::path& root = "/");

}  // namespace prefixmem
