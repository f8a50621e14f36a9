// Wakes the one loop that sends: something may be there for it.
#pragma once

#include "common/clock.h"
#include "common/thread_annotations.h"

namespace prefixmem::agent {

// Thread-safe.
class Bell {
 public:
  void ring() {
    {
      const MutexLock lock(mutex_);
      rung_ = true;
    }
    changed_.notify_all();
  }
  // Until it has rung since the last call, or until `deadline` of the machine's monotonic clock.
  void wait_until(MonotonicTime deadline) {
    const MutexLock lock(mutex_);
    while (!rung_ && changed_.wait_until(mutex_, deadline)) {
    }
    rung_ = false;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool rung_ PM_GUARDED_BY(mutex_) = false;
};

}  // namespace prefixmem::agent
