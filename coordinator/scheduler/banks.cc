#include "coordinator/scheduler/banks.h"

#include <algorithm>

namespace prefixmem::scheduler {

Banks::Banks(const std::vector<const Job*>& in_turn, int limit) : limit_(limit) {
  for (const Job* job : in_turn) {
    if (!job->bank.empty()) waiting_[job->bank].push_back(job);
  }
}

size_t Banks::limit_of(const Job& job) const {
  const int limit = job.bank_limit > 0 ? std::min(job.bank_limit, limit_) : limit_;
  return static_cast<size_t>(std::max(limit, 1));
}

std::vector<const Job*> Banks::start(const Job& first, int places,
                                     const std::function<bool(const Job&)>& may_join) {
  std::vector<const Job*> members = {&first};
  if (!first.bank.empty()) {
    std::vector<const Job*>& waiting = waiting_[first.bank];
    std::erase_if(waiting, [this](const Job* job) { return has_started(*job); });
    const size_t spread = static_cast<size_t>(std::max(places, 1));
    const size_t share = (waiting.size() + spread - 1) / spread;
    const size_t size = std::min(share, limit_of(first));
    for (const Job* job : waiting) {
      if (members.size() >= size) break;
      if (job != &first && may_join(*job)) members.push_back(job);
    }
  }
  for (const Job* member : members) started_.insert(member->id);
  return members;
}

}  // namespace prefixmem::scheduler
