#include "worker/agent/gang/family.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/fd.h"

namespace prefixmem::agent {

Family::Family(pid_t root, std::string mark, Launcher& launcher)
    : root_(root), mark_(std::move(mark)), launcher_(launcher) {}

bool Family::is_seed(const Process& process) const {
  if (process.pid == root_) return true;
  const auto known = known_.find(process.pid);
  if (known != known_.end() && known->second == process.start_time) return true;
  return process.parent == getpid() && !launcher_.started(process.pid) &&
         (has_environment(process.pid, mark_) || is_nameless(process));
}

bool Family::is_nameless(const Process& process) const {
  const std::string any_mark = mark_.substr(0, mark_.find('=') + 1);
  return getpid() != 1 && !has_environment(process.pid, any_mark);
}

void Family::look() {
  const auto processes = list_processes();
  std::multimap<pid_t, const Process*> children;
  std::vector<const Process*> members;
  for (const Process& process : processes) {
    children.emplace(process.parent, &process);
    if (is_seed(process)) members.push_back(&process);
    // Orphans of whichever gang: their end interests nobody.
    if (process.dead() && process.parent == getpid() && !launcher_.started(process.pid)) {
      waitpid(process.pid, nullptr, WNOHANG);
    }
  }
  std::map<pid_t, uint64_t> found;
  live_.clear();
  for (size_t i = 0; i < members.size(); ++i) {
    const Process& member = *members[i];
    if (!found.emplace(member.pid, member.start_time).second) continue;
    if (!member.dead()) live_.push_back(member);
    const auto [begin, end] = children.equal_range(member.pid);
    for (auto child = begin; child != end; ++child) members.push_back(child->second);
  }
  known_ = std::move(found);
  note_stopped();
}

void Family::note_stopped() {
  const auto before = std::exchange(stopped_, {});
  for (const Process& process : live_) {
    if (!process.stopped()) continue;
    const auto times = before.find(process.pid);
    stopped_[process.pid] = times == before.end() ? 1 : times->second + 1;
  }
}

// Counted, for a time without looks, in which this process stood still too, says nothing.
Status Family::none_stopped_for(Millis span, Millis pause) const {
  for (const auto& [pid, looks] : stopped_) {
    if (looks <= span / pause) continue;
    return unavailable("process " + std::to_string(pid) + " has been stopped by a signal for " +
                       std::to_string(std::lround(to_seconds(span))) + " s");
  }
  return {};
}

int64_t Family::largest_resident_bytes() const {
  int64_t largest = 0;
  for (const Process& process : live_) largest = std::max(largest, process.resident_bytes);
  return largest;
}

bool Family::kill_all(Millis limit) {
  const auto deadline = real_clock().monotonic() + limit;
  while (true) {
    look();
    if (live_.empty()) return true;
    for (const Process& process : live_) kill(process.pid, SIGKILL);
    const Millis left = deadline - real_clock().monotonic();
    if (left <= Millis(0)) return false;
    wait_for_one(std::min(left, Millis(100)));
  }
}

void Family::wait_for_one(Millis limit) const {
  const Fd fd(static_cast<int>(syscall(SYS_pidfd_open, live_.front().pid, 0U)));
  if (!fd.valid()) return;
  pollfd waiting{fd.get(), POLLIN, 0};
  poll(&waiting, 1, static_cast<int>(limit.count()));
}

}  // namespace prefixmem::agent
