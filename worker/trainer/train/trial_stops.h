// Which trials the agent has asked to leave.
#pragma once

#include <set>
#include <string_view>

#include "common/status.h"
#include "common/thread_annotations.h"

namespace prefixmem::trainer {

// Thread: any.
class TrialStops {
 public:
  void request(int trial) {
    const MutexLock lock(mutex_);
    trials_.insert(trial);
  }
  bool requested(int trial) const {
    const MutexLock lock(mutex_);
    return trials_.count(trial) > 0;
  }

  // Takes a line of the agent's, {"stop": {"trial": K}}. INVALID_ARGUMENT for any other.
  Status take_line(std::string_view line);

 private:
  mutable Mutex mutex_;
  std::set<int> trials_ PM_GUARDED_BY(mutex_);
};

}  // namespace prefixmem::trainer
