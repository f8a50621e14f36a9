// Ticks for the coordinator.
#pragma once

#include <functional>
#include <thread>

#include "common/clock.h"
#include "common/thread_annotations.h"

namespace prefixmem {

// Calls `tick` every `period` on a thread of its own, from construction to destruction.
class Clockwork {
 public:
  Clockwork(Millis period, std::function<void()> tick);
  ~Clockwork();
  Clockwork(const Clockwork&) = delete;
  Clockwork& operator=(const Clockwork&) = delete;

 private:
  void run();

  const Millis period_;
  const std::function<void()> tick_;
  Mutex mutex_;
  CondVar stopped_changed_;
  bool stopped_ PM_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace prefixmem
