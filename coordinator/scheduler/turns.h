// In what order waiting jobs are looked at.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string_view>
#include <tuple>

#include "coordinator/scheduler/queue.h"
#include "coordinator/scheduler/shares.h"

namespace prefixmem::scheduler {

// By priority; then jobs whose turn has come, by it (Job::turn); then always the first job of the
// tenant that has the least load just then, those of one tenant in the order submitted. Over one
// placement; queue and shares outlive it. What a job holds of the shares is held before the next is
// asked for. Each costs the logarithm of the number of tenants and of kinds.
class Turns {
 public:
  Turns(const Queue& queue, const Shares& shares);

  // Null: there is none left.
  const Job* next();
  // The job that was had last waits, and so do those behind it in its line.
  void close() { taken_.next = taken_.end; }

 private:
  struct Line {
    Queue::Line::const_iterator next, end;
  };
  using Lines = std::map<Turn, Line>;                 // by their next jobs
  using Tenants = std::map<std::string_view, Lines>;  // none is empty, but while one is taken
  // Turn of the first job, load, place in the queue, name.
  using Rank = std::tuple<int64_t, double, Turn, std::string_view>;

  void put(const Line& line);
  void put_back();
  void rank(std::string_view tenant, const Lines& lines);

  const Shares& shares_;
  std::map<int64_t, Tenants> levels_;  // by the negative priority of the next jobs
  std::set<Rank> ranks_;               // of the tenants of the first level
  const Job* last_ = nullptr;          // that was had last; its tenant has no rank
  Line taken_;                         // what comes behind it
};

}  // namespace prefixmem::scheduler
