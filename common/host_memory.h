// Memory of this host, as far as this process may use it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace prefixmem {

// Bytes; what cannot be read is 0. Of a memory cgroup with a limit below the host's: the limit, and
// what is left of it.
struct HostMemory {
  int64_t total = 0;
  int64_t available = 0;
};

// From /proc/meminfo and the memory cgroups, version 1 or 2, at `root`.
HostMemory read_host_memory(const std::filesystem::path& root = "/");

// A memory cgroup that this process is in. Inside a container its path may not be visible; the
// mount's root is then the container's own group.
struct MemoryCgroup {
  std::filesystem::path mount, folder;
  bool unified = false;  // of version 2
};
std::vector<MemoryCgroup> memory_cgroups(const std::filesystem::path& root = "/");

// The number after `key` in "key value" or "key: value kB" lines (kB counts 1024); 0: none. Pure.
int64_t value_of(std::string_view text, std::string_view key);
// The same of a file; 0 where it cannot be read.
int64_t value_in(const std::filesystem::path& file, std::string_view key);

}  // namespace prefixmem
