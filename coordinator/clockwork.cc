#include "coordinator/clockwork.h"

#include <utility>

namespace prefixmem {

Clockwork::Clockwork(Millis period, std::function<void()> tick, std::function<void()> hurried)
    : period_(period),
      tick_(std::move(tick)),
      hurried_(std::move(hurried)),
      thread_([this] { run(); }) {}

Clockwork::~Clockwork() {
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Clockwork::hurry() {
  {
    const MutexLock lock(mutex_);
    in_a_hurry_ = true;
  }
  changed_.notify_all();
}

void Clockwork::run() {
  auto next_tick = std::chrono::steady_clock::now();
  for (Call call = wait(next_tick); call != Call::kNone; call = wait(next_tick)) {
    if (call == Call::kHurried) {
      hurried_();
    } else {
      tick_();
      next_tick = std::chrono::steady_clock::now() + period_;
    }
  }
}

Clockwork::Call Clockwork::wait(std::chrono::steady_clock::time_point next_tick) {
  const MutexLock lock(mutex_);
  for (;;) {
    if (stopped_) return Call::kNone;
    if (std::chrono::steady_clock::now() >= next_tick) return Call::kTick;
    if (std::exchange(in_a_hurry_, false)) return Call::kHurried;
    changed_.wait_until(mutex_, next_tick);
  }
}

}  // namespace prefixmem
