#include "worker/trainer/collective/watchdog.h"

namespace prefixmem::trainer {

Watchdog::Watchdog(const CallBoard& calls, std::chrono::milliseconds limit, Alarm alarm)
    : calls_(calls), limit_(limit), alarm_(std::move(alarm)), thread_([this] { run(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

// Looks when the call would be due, or once a limit where there is none: a call that begins or ends
// notifies nobody, so that it costs two uncontended locks.
void Watchdog::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const CallBoard::Entry call = calls_.entry();
    const auto now = std::chrono::steady_clock::now();
    const auto due = (call.name.empty() ? now : call.since) + limit_;
    if (now >= due) {
      lock.unlock();
      alarm_(call.name);
      return;
    }
    changed_.wait_until(lock, due);
  }
}

}  // namespace prefixmem::trainer
