// What another process has used.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

namespace prefixmem::load {

struct ProcessUsage {
  double cpu_seconds = 0;
  int64_t resident_bytes = 0;
};

// Zeros where there is no such process.
inline ProcessUsage usage_of(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream fields(text.substr(name_end + 2));
  std::string skipped;
  for (int i = 3; i < 14; ++i) fields >> skipped;  // proc(5): utime is field 14, rss field 24
  int64_t user = 0, system = 0, resident = 0;
  fields >> user >> system;
  for (int i = 16; i < 24; ++i) fields >> skipped;
  fields >> resident;
  return {static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK)),
          resident * sysconf(_SC_PAGESIZE)};
}

}  // namespace prefixmem::load
