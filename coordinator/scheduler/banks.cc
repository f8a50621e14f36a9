#include "coordinator/scheduler/banks.h"

#include <algorithm>

namespace prefixmem::scheduler {

size_t Banks::limit_of(const Job& job) const {
  const int limit = job.bank_limit > 0 ? std::min(job.bank_limit, limit_) : limit_;
  return static_cast<size_t>(std::max(limit, 1));
}

Banks::Bank& Banks::bank_of(const Job& job) {
  const Queue::Line& line = queue_.of_bank(job.bank);
  return banks_.try_emplace(job.bank, Bank{line, line.begin()}).first->second;
}

void Banks::mark(const Job& job) {
  started_.insert(job.id);
  if (!job.bank.empty()) bank_of(job).started += 1;
}

std::vector<const Job*> Banks::start(const Job& first, int places,
                                     const std::function<Join(const Job&)>& may_join) {
  std::vector<const Job*> members = {&first};
  if (!first.bank.empty()) {
    Bank& bank = bank_of(first);
    const size_t waiting = bank.line.size() - bank.started;
    const size_t spread = static_cast<size_t>(std::max(places, 1));
    const size_t size = std::min((waiting + spread - 1) / spread, limit_of(first));
    while (bank.next != bank.line.end() && has_started(*bank.next->second)) ++bank.next;
    for (auto at = bank.next; at != bank.line.end() && members.size() < size; ++at) {
      const Job& job = *at->second;
      if (&job == &first || has_started(job)) continue;
      const Join join = may_join(job);
      if (join == Join::kFull) break;
      if (join == Join::kYes) members.push_back(&job);
    }
  }
  for (const Job* member : members) mark(*member);
  return members;
}

}  // namespace prefixmem::scheduler
