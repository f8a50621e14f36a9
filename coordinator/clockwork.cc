#include "coordinator/clockwork.h"

#include <utility>

namespace prefixmem {

Clockwork::Clockwork(Millis period, std::function<void()> tick)
    : period_(period), tick_(std::move(tick)), thread_([this] { run(); }) {}

Clockwork::~Clockwork() {
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
  }
  stopped_changed_.notify_all();
  thread_.join();
}

void Clockwork::run() {
  for (;;) {
    tick_();
    const auto next = std::chrono::steady_clock::now() + period_;
    const MutexLock lock(mutex_);
    while (!stopped_ && stopped_changed_.wait_until(mutex_, next)) {
    }
    if (stopped_) return;
  }
}

}  // namespace prefixmem
