// How others ask a running gang to end.
#pragma once

#include <optional>

#include "common/clock.h"
#include "common/fd.h"
#include "common/thread_annotations.h"

namespace prefixmem::agent {

// Thread-safe. Measured with the machine's monotonic clock.
class StopRequest {
 public:
  StopRequest();

  // The gang may checkpoint and leave by itself until `grace` has passed, then it is killed. Of
  // several requests the earliest end counts.
  void request(Millis grace);

  // When to kill; none: nobody has asked.
  std::optional<MonotonicTime> kill_at() const;
  // Readable once somebody has asked.
  int fd() const { return event_.get(); }

 private:
  const Fd event_;
  mutable Mutex mutex_;
  std::optional<MonotonicTime> kill_at_ PM_GUARDED_BY(mutex_);
};

}  // namespace prefixmem::agent
