// Which waiting jobs start in one gang.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/scheduler/queue.h"

namespace prefixmem::scheduler {

// Over one placement; the queue outlives it.
class Banks {
 public:
  Banks(const Queue& queue, int limit) : queue_(queue), limit_(limit) {}

  bool has_started(const Job& job) const { return started_.contains(job.id); }
  // It has joined a gang by itself.
  void joined(const Job& job) { mark(job); }
  // Jobs that a gang of such a job may hold: the limit of the service and the job's own.
  size_t limit_of(const Job& job) const;
  // Of a job that could come into a gang; kFull: nor could another like its first.
  enum class Join { kNo, kYes, kFull };
  // Starts `first` and, in turn, those with its key that have not started and may join: their
  // number divided by `places`, rounded up, at most the limit of the service and of the job.
  std::vector<const Job*> start(const Job& first, int places,
                                const std::function<Join(const Job&)>& may_join);

 private:
  struct Bank {
    const Queue::Line& line;
    Queue::Line::const_iterator next;  // those before it have started
    size_t started = 0;
  };

  Bank& bank_of(const Job& job);
  void mark(const Job& job);

  const Queue& queue_;
  const int limit_;
  std::map<std::string_view, Bank> banks_;  // by key
  std::set<std::string_view> started_;      // ids
};

}  // namespace prefixmem::scheduler
