// What the agent has asked of a bank while it trains: trials that are to leave, others to come in.
#pragma once

#include <set>
#include <string_view>
#include <vector>

#include "common/status.h"
#include "common/thread_annotations.h"
#include "worker/trainer/train/bank_file.h"

namespace prefixmem::trainer {

// Thread: any.
class AgentRequests {
 public:
  void stop(int trial) {
    const MutexLock lock(mutex_);
    stops_.insert(trial);
  }
  bool stop_asked(int trial) const {
    const MutexLock lock(mutex_);
    return stops_.count(trial) > 0;
  }

  // Trials to come in, in the order asked; they follow those of the bank's file in number.
  size_t joining() const {
    const MutexLock lock(mutex_);
    return joining_.size();
  }
  TrialFiles joining(size_t index) const {
    const MutexLock lock(mutex_);
    return joining_.at(index);
  }

  // Takes a line of the agent's, {"stop": {"trial": K}} to rank 0 or {"join": TRIAL} to every rank,
  // TRIAL as in the bank's file. INVALID_ARGUMENT for any other.
  Status take_line(std::string_view line);

 private:
  mutable Mutex mutex_;
  std::set<int> stops_ PM_GUARDED_BY(mutex_);
  std::vector<TrialFiles> joining_ PM_GUARDED_BY(mutex_);
};

}  // namespace prefixmem::trainer
