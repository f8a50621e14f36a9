// The trials of a bank as its gang sees them: which have told their end, which are to leave and by
// when.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/event/event.h"
#include "worker/agent/gang/stop_request.h"

namespace prefixmem::agent {

// Not thread-safe; pure but for itself.
class Trials {
 public:
  // None of a gang that is no bank.
  explicit Trials(int count) : count_(count) {}

  // A result or a failure of a trial is its end.
  void note(const TrialEvent& event);
  bool all_ended() const { return count_ > 0 && static_cast<int>(ended_.size()) == count_; }

  // One that has ended is not asked; of several requests for one the earliest counts.
  void ask_to_leave(const TrialStop& stop);
  // The lines for rank 0 that it has not been sent, {"stop":{"trial":3}} each.
  std::vector<std::string> take_lines();
  // When the next of those asked is late; none: nobody is waited for.
  std::optional<MonotonicTime> deadline() const;
  // Those that are late.
  std::vector<int> late(MonotonicTime now) const;

 private:
  const int count_;
  std::set<int> ended_;
  std::map<int, MonotonicTime> leaving_;  // asked, not ended
  std::vector<int> untold_;
};

}  // namespace prefixmem::agent
