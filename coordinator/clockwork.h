// Ticks for the coordinator.
#pragma once

#include <functional>
#include <thread>

#include "common/clock.h"
#include "common/thread_annotations.h"

namespace prefixmem {

// Calls `tick` every `period`, and `hurried` soon after each `hurry`, on a thread of its own, from
// construction to destruction.
class Clockwork {
 public:
  Clockwork(Millis period, std::function<void()> tick, std::function<void()> hurried);
  ~Clockwork();
  Clockwork(const Clockwork&) = delete;
  Clockwork& operator=(const Clockwork&) = delete;

  // From any thread; does not wait.
  void hurry();

 private:
  enum class Call { kNone, kTick, kHurried };

  void run();
  // What is due, at `next_tick` at the latest.
  Call wait(std::chrono::steady_clock::time_point next_tick);

  const Millis period_;
  const std::function<void()> tick_, hurried_;
  Mutex mutex_;
  CondVar changed_;
  bool stopped_ PM_GUARDED_BY(mutex_) = false;
  bool in_a_hurry_ PM_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace prefixmem
