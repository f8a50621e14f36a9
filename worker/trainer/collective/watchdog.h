// Notices an operation that does not end.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace prefixmem::trainer {

class Watchdog {
 public:
  // Called once, on the watchdog's thread, with the name of the operation that outlived `limit`.
  using Alarm = std::function<void(const std::string& operation)>;

  Watchdog(std::chrono::milliseconds limit, Alarm alarm);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // Watches from its construction to its destruction. One at a time; must not outlive the watchdog.
  class Watch {
   public:
    Watch(Watchdog& watchdog, std::string operation) : watchdog_(watchdog) {
      watchdog_.arm(std::move(operation));
    }
    ~Watch() { watchdog_.disarm(); }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    Watchdog& watchdog_;
  };

 private:
  void arm(std::string operation);
  void disarm();
  void run();

  // constant after construction
  const std::chrono::milliseconds limit_;
  const Alarm alarm_;

  // protected by mutex_
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool armed_ = false;
  std::string operation_;
  std::chrono::steady_clock::time_point due_;

  std::thread thread_;
};

}  // namespace prefixmem::trainer
