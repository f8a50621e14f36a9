#include "coordinator/scheduler/turns.h"

#include <utility>

namespace prefixmem::scheduler {

Turns::Turns(const Queue& queue, const Shares& shares) : shares_(shares) {
  for (const auto& [kind, line] : queue.lines()) put({line.begin(), line.end()});
}

void Turns::put(const Line& line) {
  if (line.next == line.end) return;
  const auto& [turn, first] = *line.next;
  levels_[-first->priority][first->tenant].emplace(turn, line);
}

void Turns::rank(std::string_view tenant, const Lines& lines) {
  const auto& [turn, line] = *lines.begin();
  ranks_.emplace(std::get<1>(turn), shares_.load(tenant), turn, tenant);
}

// The load of no other tenant has changed.
void Turns::put_back() {
  put(taken_);
  const auto level = levels_.begin();
  const auto tenant = level->second.find(last_->tenant);
  if (!tenant->second.empty()) {
    rank(tenant->first, tenant->second);
  } else {
    level->second.erase(tenant);
    if (level->second.empty()) levels_.erase(level);
  }
  last_ = nullptr;
}

const Job* Turns::next() {
  if (last_ != nullptr) put_back();
  if (levels_.empty()) return nullptr;
  Tenants& tenants = levels_.begin()->second;
  if (ranks_.empty()) {
    for (const auto& [tenant, lines] : tenants) rank(tenant, lines);
  }
  Lines& lines = tenants.find(std::get<3>(*ranks_.begin()))->second;
  ranks_.erase(ranks_.begin());
  taken_ = lines.extract(lines.begin()).mapped();
  last_ = (taken_.next++)->second;
  return last_;
}

}  // namespace prefixmem::scheduler
