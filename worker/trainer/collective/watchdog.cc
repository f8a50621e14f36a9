#include "worker/trainer/collective/watchdog.h"

namespace prefixmem::trainer {

Watchdog::Watchdog(std::chrono::milliseconds limit, Alarm alarm)
    : limit_(limit), alarm_(std::move(alarm)), thread_([this] { run(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Watchdog::arm(std::string operation) {
  const std::lock_guard lock(mutex_);
  operation_ = std::move(operation);
  due_ = std::chrono::steady_clock::now() + limit_;
  armed_ = true;
}

void Watchdog::disarm() {
  const std::lock_guard lock(mutex_);
  armed_ = false;
}

// Wakes at the due time, or once a limit where nothing is armed: arming notifies nobody, so that a
// watched call costs two uncontended locks.
void Watchdog::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto now = std::chrono::steady_clock::now();
    if (armed_ && now >= due_) {
      const std::string operation = operation_;
      lock.unlock();
      alarm_(operation);
      return;
    }
    changed_.wait_until(lock, armed_ ? due_ : now + limit_);
  }
}

}  // namespace prefixmem::trainer
