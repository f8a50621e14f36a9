// Which waiting jobs start in one gang.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/scheduler/state.h"

namespace prefixmem::scheduler {

// Over one placement; the jobs outlive it.
class Banks {
 public:
  // `in_turn`: the queue, as it is looked at.
  Banks(const std::vector<const Job*>& in_turn, int limit);

  bool has_started(const Job& job) const { return started_.contains(job.id); }
  // It has joined a gang by itself.
  void joined(const Job& job) { started_.insert(job.id); }
  // Jobs that a gang of such a job may hold: the limit of the service and the job's own.
  size_t limit_of(const Job& job) const;
  // Starts `first` and, in turn, those with its key that have not started and may join: their
  // number divided by `places`, rounded up, at most the limit of the service and of the job.
  std::vector<const Job*> start(const Job& first, int places,
                                const std::function<bool(const Job&)>& may_join);

 private:
  const int limit_;
  std::map<std::string_view, std::vector<const Job*>> waiting_;  // by key, in turn
  std::set<std::string_view> started_;                           // ids
};

}  // namespace prefixmem::scheduler
