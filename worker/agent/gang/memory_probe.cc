#include "worker/agent/gang/memory_probe.h"

#include <sstream>

#include "common/files.h"
#include "common/host_memory.h"

namespace prefixmem::agent {
namespace {

int64_t value_in_file(const std::string& file, std::string_view key) {
  const auto text = read_file(file);
  return text.ok() ? value_of(*text, key) : 0;
}

// "0::/path" of version 2, "4:memory:/path" of version 1. Inside a container the path may not be
// visible; the mount's root is then the container's own group.
int64_t cgroup_oom_kills() {
  const auto groups = read_file("/proc/self/cgroup");
  if (!groups.ok()) return 0;
  std::istringstream lines(*groups);
  int64_t kills = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::string path = line.substr(line.rfind(':') + 1);
    const bool unified = line.starts_with("0::");
    if (!unified && line.find(":memory:") == std::string::npos) continue;
    const std::string mount = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    const std::string file = unified ? "/memory.events" : "/memory.oom_control";
    kills += value_in_file(mount + path + file, "oom_kill");
    if (path != "/") kills += value_in_file(mount + file, "oom_kill");
  }
  return kills;
}

}  // namespace

int64_t value_of(std::string_view text, std::string_view key) {
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name, unit;
    int64_t value = 0;
    words >> name >> value >> unit;
    if (name.ends_with(':')) name.pop_back();
    if (name == key) return unit == "kB" ? value * 1024 : value;
  }
  return 0;
}

MemoryReading read_memory() {
  MemoryReading reading;
  reading.oom_kills = cgroup_oom_kills() + value_in_file("/proc/vmstat", "oom_kill");
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
