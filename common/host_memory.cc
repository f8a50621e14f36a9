#include "common/host_memory.h"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <string>

#include "common/files.h"

namespace prefixmem {
namespace {

namespace fs = std::filesystem;

// A file that is one number; 0: it is not ("max": no limit).
int64_t number_in(const fs::path& file) {
  const auto text = read_file(file);
  int64_t number = 0;
  if (text.ok()) std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

void limit_to(const fs::path& group, bool unified, HostMemory& memory) {
  const int64_t limit = number_in(group / (unified ? "memory.max" : "memory.limit_in_bytes"));
  if (limit <= 0 || limit >= memory.total) return;
  const int64_t reclaimable =
      value_in(group / "memory.stat", unified ? "inactive_file" : "total_inactive_file");
  const int64_t used = number_in(group / (unified ? "memory.current" : "memory.usage_in_bytes"));
  memory.total = limit;
  memory.available = std::clamp<int64_t>(limit - used + reclaimable, 0, memory.available);
}

}  // namespace

HostMemory read_host_memory(const fs::path& root) {
  const fs::path meminfo = root / "proc/meminfo";
  HostMemory memory{value_in(meminfo, "MemTotal"), value_in(meminfo, "MemAvailable")};
  for (const MemoryCgroup& group : memory_cgroups(root)) {
    fs::path folder = group.folder;  // and those that it is in
    for (; folder != group.mount; folder = folder.parent_path()) {
      limit_to(folder, group.unified, memory);
    }
    limit_to(folder, group.unified, memory);
  }
  return memory;
}

// Lines "0::/path" of version 2, "4:memory:/path" of version 1.
std::vector<MemoryCgroup> memory_cgroups(const fs::path& root) {
  const auto own = read_file(root / "proc/self/cgroup");
  std::istringstream lines(own.ok() ? *own : "");
  std::vector<MemoryCgroup> groups;
  for (std::string line; std::getline(lines, line);) {
    const bool unified = line.starts_with("0::");
    if (!unified && line.find(":memory:") == std::string::npos) continue;
    const fs::path mount = root / (unified ? "sys/fs/cgroup" : "sys/fs/cgroup/memory");
    const fs::path path = fs::path(line.substr(line.rfind(':') + 1)).relative_path();
    std::error_code ignored;
    const bool visible = !path.empty() && fs::is_directory(mount / path, ignored);
    groups.push_back({mount, visible ? mount / path : mount, unified});
  }
  return groups;
}

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

int64_t value_in(const fs::path& file, std::string_view key) {
  const auto text = read_file(file);
  return text.ok() ? value_of(*text, key) : 0;
}

}  // namespace prefixmem
