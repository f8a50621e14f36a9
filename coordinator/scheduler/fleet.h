// How many allocations of a batch system there are to be, each of which brings one worker.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/backoff.h"
#include "common/clock.h"
#include "coordinator/scheduler/demand.h"

namespace prefixmem::scheduler {

enum class AllocationState { kPending, kRunning, kEnding };

// As the batch system lists it.
struct Allocation {
  std::string id;
  AllocationState state = AllocationState::kPending;
};

struct FleetLimits {
  int slots = 1;  // of the worker that an allocation brings
  Device device = Device::kCpu;
  int least = 0, most = 1;  // allocations, those that have not started too
  int most_pending = 1;     // that have not
  Millis idle{300'000};     // without a gang, or anything that waits for it
  Millis start{600'000};    // that one may run without a worker that has registered
  // After one that ended before its worker came, or was refused.
  BackoffPolicy backoff{
      .first = Millis(30'000), .longest = Millis(1'800'000), .factor = 2, .jitter = 0};
};

struct FleetPlan {
  int wanted = 0;                     // allocations that are missing
  int submit = 0;                     // of these, now
  std::vector<std::string> withdraw;  // that nothing needs, while they have not started
  std::vector<std::string> release;   // that nothing needs, where nothing is placed there meanwhile
  std::vector<std::string> cancel;    // that are released, or of which no worker comes
  std::vector<std::string> failures;  // of allocations since the last plan, a sentence each
  std::vector<std::string> surprises;  // workers of another size than FleetLimits says, likewise
};

// Remembers what it has seen of each allocation. Deterministic; not thread-safe.
//
// What waits is packed, the biggest first, onto slots that are free, then onto allocations whose
// workers are still to come; what is left asks for new ones, where those can hold it. An allocation
// is needed while a gang is on its worker or something that waits was packed there; one that has
// not been for `idle` goes, down to `least`. After a failure allocations are submitted one by one,
// each later than the one before, until a worker has come.
class Fleet {
 public:
  explicit Fleet(const FleetLimits& limits) : limits_(limits) {}

  // `listed`: all that there are, those of an earlier process too.
  FleetPlan plan(MonotonicTime now, const std::vector<Allocation>& listed, const Demand& demand);
  // What became of a plan.
  void submitted(MonotonicTime now, const std::string& id);
  void refused(MonotonicTime now);
  void released(const std::string& id);

  // Allocations by state: pending, starting, running, ending.
  std::map<std::string, int> counts() const;

 private:
  struct Member {
    AllocationState state = AllocationState::kPending;
    MonotonicTime needed;  // when it was last, or has started
    // When its worker was last there, or it has started.
    std::optional<MonotonicTime> attended = {};
    bool proven = false;     // a worker has come
    bool withdrawn = false;  // to go unless it has started
    bool leaving = false;    // released or given up

    bool counts() const { return !leaving && !withdrawn && state != AllocationState::kEnding; }
  };

  void observe(MonotonicTime now, const std::vector<Allocation>& listed, const Demand& demand,
               FleetPlan& plan);
  void attend(MonotonicTime now, const Demand& demand, FleetPlan& plan);
  // Marks what is needed; how many allocations are missing.
  int pack(MonotonicTime now, const Demand& demand);
  void give_up(MonotonicTime now, FleetPlan& plan);
  void let_go(MonotonicTime now, FleetPlan& plan);
  int to_submit(MonotonicTime now, int wanted) const;
  void fail(MonotonicTime now);
  int room() const;
  int alive() const;
  int pending() const;

  const FleetLimits limits_;
  int64_t memory_ = 0,
          gpu_memory_ = 0;  // the most of a worker that an allocation has brought; 0: not known
  std::map<std::string, Member> members_;  // by id
  bool failed_ = false;  // an allocation or several, in the plan at hand: one failure
  int failures_ = 0;     // since a worker has come
  MonotonicTime next_submit_{};
};

}  // namespace prefixmem::scheduler
