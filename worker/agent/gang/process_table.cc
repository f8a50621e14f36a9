#include "worker/agent/gang/process_table.h"

#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>

#include "common/files.h"

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;

std::optional<pid_t> pid_of(const std::string& name) {
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return pid;
}

// proc(5): the name stands in parentheses and may hold anything; fields count from the state, 3.
std::optional<Process> parse_stat(pid_t pid, const std::string& stat) {
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(stat.substr(name_end + 1));
  Process process;
  process.pid = pid;
  std::string ignored;
  fields >> process.state >> process.parent;
  for (int field = 5; field < 22; ++field) fields >> ignored;
  int64_t pages = 0;
  fields >> process.start_time >> ignored >> pages;
  if (!fields) return std::nullopt;
  process.resident_bytes = pages * sysconf(_SC_PAGESIZE);
  return process;
}

std::optional<Process> find_process(pid_t pid) {
  const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  return stat.ok() ? parse_stat(pid, *stat) : std::nullopt;
}

}  // namespace

std::vector<Process> list_processes() {
  std::vector<Process> processes;
  std::error_code error;
  for (fs::directory_iterator at("/proc", error), end; !error && at != end; at.increment(error)) {
    const auto pid = pid_of(at->path().filename());
    if (!pid) continue;
    if (auto process = find_process(*pid)) processes.push_back(*process);
  }
  return processes;
}

char process_state(pid_t pid) {
  const auto process = find_process(pid);
  return process ? process->state : '?';
}

bool has_environment(pid_t pid, std::string_view entry) {
  const auto environment = read_file("/proc/" + std::to_string(pid) + "/environ");
  if (!environment.ok()) return false;
  if (environment->starts_with(entry)) return true;
  return environment->find(std::string(1, '\0').append(entry)) != std::string::npos;
}

int kill_by_environment(std::string_view entry) {
  int killed = 0;
  for (const Process& process : list_processes()) {
    if (process.dead() || !has_environment(process.pid, entry)) continue;
    if (kill(process.pid, SIGKILL) == 0) ++killed;
  }
  return killed;
}

}  // namespace prefixmem::agent
