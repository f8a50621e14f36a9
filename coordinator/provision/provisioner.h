// Brings workers while jobs wait and gives them back when they idle.
#pragma once

#include <memory>
#include <string>

#include "common/backoff.h"
#include "common/clock.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/metrics/metrics.h"
#include "coordinator/provision/batch_system.h"
#include "coordinator/provision/config.h"

namespace prefixmem::provision {

// Which allocations there are the batch system alone remembers: a coordinator that is started again
// finds those of the one before. Not thread-safe.
class Provisioner {
 public:
  // What it works on; outlives it.
  struct World {
    Coordinator& coordinator;
    Metrics& metrics;
    const Clock& clock;
  };
  Provisioner(const Config& config, std::unique_ptr<BatchSystem> system, const World& world);

  // Looks at the batch system once and does what that leads to; waits for it with no lock held. To
  // be called every Config::poll. After a failure, which is logged and counted, calls do nothing
  // for a while, longer after each.
  void round();

 private:
  void carry_out(const scheduler::FleetPlan& plan);
  void release(const std::string& id);
  // Whether it was taken.
  bool submit();
  // Whether the call did; a failure is counted and remembered.
  bool note(const char* call, const Status& status);

  // Constant after construction.
  const std::unique_ptr<BatchSystem> system_;
  const World world_;
  const BackoffPolicy backoff_;  // of looks

  scheduler::Fleet fleet_;
  Status failure_;      // the first of this round
  Status refusal_;      // of the last submission, while something is still wanted
  std::string warned_;  // what was logged last, until a round goes well
  int failures_ = 0;    // rounds since one went well
  MonotonicTime next_look_{};
};

}  // namespace prefixmem::provision
