// How others ask a running gang, or one trial of it, to end.
#pragma once

#include <optional>
#include <vector>

#include "common/clock.h"
#include "common/fd.h"
#include "common/thread_annotations.h"

namespace prefixmem::agent {

// A trial of a bank that is to leave while the others go on.
struct TrialStop {
  int trial = 0;
  MonotonicTime leave_by;
};

// Thread-safe. Measured with the machine's monotonic clock.
class StopRequest {
 public:
  StopRequest();

  // The gang may checkpoint and leave by itself until `grace` has passed, then it is killed. Of
  // several requests the earliest end counts.
  void request(Millis grace);
  // That trial may checkpoint and leave until `grace` has passed, then nobody waits for it.
  void request_trial(int trial, Millis grace);

  // Somebody wants to come in: fd() becomes readable, and that is all.
  void knock();

  // When to kill; none: nobody has asked for the whole gang's end.
  std::optional<MonotonicTime> kill_at() const;
  // What was asked of trials since the last call. Quiets fd(), so kill_at() is looked at after it.
  std::vector<TrialStop> take_trials();
  // Readable once somebody has asked for something since take_trials().
  int fd() const { return event_.get(); }

 private:
  const Fd event_;
  mutable Mutex mutex_;
  std::optional<MonotonicTime> kill_at_ PM_GUARDED_BY(mutex_);
  std::vector<TrialStop> trials_ PM_GUARDED_BY(mutex_);
};

}  // namespace prefixmem::agent
