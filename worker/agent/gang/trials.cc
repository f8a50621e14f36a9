#include "worker/agent/gang/trials.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace prefixmem::agent {

void Trials::note(const TrialEvent& event) {
  if (event.trial < 0 || event.trial >= count_) return;
  begun_ = std::max(begun_, event.trial + 1);
  const bool end = std::holds_alternative<ResultEvent>(event.event) ||
                   std::holds_alternative<FailureEvent>(event.event);
  if (!end) return;
  ended_.insert(event.trial);
  leaving_.erase(event.trial);
}

void Trials::ask_to_leave(const TrialStop& stop) {
  if (ended_.contains(stop.trial)) return;
  const auto [at, added] = leaving_.try_emplace(stop.trial, stop.leave_by);
  at->second = std::min(at->second, stop.leave_by);
  if (added) untold_.push_back(stop.trial);
}

std::vector<std::string> Trials::take_lines() {
  std::vector<std::string> lines;
  for (const int trial : std::exchange(untold_, {})) {
    lines.push_back(nlohmann::json{{"stop", {{"trial", trial}}}}.dump() + "\n");
  }
  return lines;
}

std::optional<MonotonicTime> Trials::deadline() const {
  std::optional<MonotonicTime> next;
  for (const auto& [trial, leave_by] : leaving_) next = std::min(next.value_or(leave_by), leave_by);
  return next;
}

std::vector<int> Trials::late(MonotonicTime now) const {
  std::vector<int> trials;
  for (const auto& [trial, leave_by] : leaving_) {
    if (now >= leave_by) trials.push_back(trial);
  }
  return trials;
}

}  // namespace prefixmem::agent
