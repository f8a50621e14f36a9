#include "common/host_memory.h"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <string>
#include <string_view>

#include "common/files.h"

namespace prefixmem {
namespace {

namespace fs = std::filesystem;

// The number after `key`, in lines "key value" or "key: value kB"; 0: none.
int64_t value_of(const fs::path& file, std::string_view key) {
  const auto text = read_file(file);
  if (!text.ok()) return 0;
  std::istringstream lines(*text);
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

// A file that is one number; 0: it is not ("max": no limit).
int64_t number_in(const fs::path& file) {
  const auto text = read_file(file);
  int64_t number = 0;
  if (text.ok()) std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

struct Group {
  fs::path mount, folder;
  const char *limit, *used, *reclaimable;
};

// "0::/path" of version 2, "4:memory:/path" of version 1. Inside a container the path may not be
// visible; the mount's root is then the container's own group.
Group group_at(const fs::path& root, bool unified, const std::string& path) {
  const fs::path mount = root / (unified ? "sys/fs/cgroup" : "sys/fs/cgroup/memory");
  std::error_code ignored;
  const fs::path own = mount / fs::path(path).relative_path();
  const fs::path folder = fs::is_directory(own, ignored) ? own : mount;
  if (unified) return {mount, folder, "memory.max", "memory.current", "inactive_file"};
  return {mount, folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};
}

void limit_to(const Group& group, HostMemory& memory) {
  const int64_t limit = number_in(group.folder / group.limit);
  if (limit <= 0 || limit >= memory.total) return;
  const int64_t used = number_in(group.folder / group.used) -
                       value_of(group.folder / "memory.stat", group.reclaimable);
  memory.total = limit;
  memory.available = std::clamp<int64_t>(limit - used, 0, memory.available);
}

// And those that it is in.
void limit_to_all(Group group, HostMemory& memory) {
  for (; group.folder != group.mount; group.folder = group.folder.parent_path()) {
    limit_to(group, memory);
  }
  limit_to(group, memory);
}

}  // namespace

HostMemory read_host_memory(const fs::path& root) {
  const fs::path meminfo = root / "proc/meminfo";
  HostMemory memory{value_of(meminfo, "MemTotal"), value_of(meminfo, "MemAvailable")};
  const auto groups = read_file(root / "proc/self/cgroup");
  std::istringstream lines(groups.ok() ? *groups : "");
  for (std::string line; std::getline(lines, line);) {
    const bool unified = line.starts_with("0::");
    if (!unified && line.find(":memory:") == std::string::npos) continue;
    limit_to_all(group_at(root, unified, line.substr(line.rfind(':') + 1)), memory);
  }
  return memory;
}

}  // namespace prefixmem
