// Notices a call that does not end.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "worker/trainer/collective/call_board.h"

namespace prefixmem::trainer {

class Watchdog {
 public:
  // Called once, on the watchdog's thread, with the name of the call that outlived `limit`.
  using Alarm = std::function<void(const std::string& call)>;

  // `calls` outlives it.
  Watchdog(const CallBoard& calls, std::chrono::milliseconds limit, Alarm alarm);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  void run();

  // constant after construction
  const CallBoard& calls_;
  const std::chrono::milliseconds limit_;
  const Alarm alarm_;

  // protected by mutex_
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace prefixmem::trainer
