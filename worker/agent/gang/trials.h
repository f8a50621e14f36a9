// The trials of a bank as its gang sees them: which have told their end, which are to leave and by
// when, which are to come in.
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

  // One more, which is in the gang from its first event on.
  void add() { ++count_; }

  // A result or a failure of a trial is its end.
  void note(const TrialEvent& event);
  // Of those that are in the gang.
  bool all_ended() const { return begun_ > 0 && static_cast<int>(ended_.size()) == begun_; }

  // One that has ended is not asked; of several requests for one the earliest counts.
  void ask_to_leave(const TrialStop& stop);
  // The lines for rank 0 that it has not been sent, {"stop":{"trial":3}} each.
  std::vector<std::string> take_lines();
  // When the next of those asked is late; none: nobody is waited for.
  std::optional<MonotonicTime> deadline() const;
  // Those that are late.
  std::vector<int> late(MonotonicTime now) const;

 private:
  int count_;
  int begun_ = count_;  // they begin in turn
  std::set<int> ended_;
  std::map<int, MonotonicTime> leaving_;  // asked, not ended
  std::vector<int> untold_;
};

}  // namespace prefixmem::agent
