// Which collective call a rank is in, for whoever wonders why it does not go on: the watchdog, and
// the agent, which asks.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "common/thread_annotations.h"

namespace prefixmem::trainer {

// Thread-safe.
class CallBoard {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Entry {
    std::string name;    // empty: in none
    int64_t number = 0;  // from 1, of this call or of the last one: the same on every rank
    Time since{};        // when it began
  };

  // Stands on the board from its construction to its destruction. One at a time.
  class Call {
   public:
    // `name` outlives it.
    Call(CallBoard& board, const char* name) : board_(board) { board_.enter(name); }
    ~Call() { board_.leave(); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    CallBoard& board_;
  };

  Entry entry() const {
    const MutexLock lock(mutex_);
    return {name_ == nullptr ? "" : name_, number_, since_};
  }

 private:
  void enter(const char* name) {
    const MutexLock lock(mutex_);
    name_ = name;
    ++number_;
    since_ = std::chrono::steady_clock::now();
  }
  void leave() {
    const MutexLock lock(mutex_);
    name_ = nullptr;
  }

  mutable Mutex mutex_;
  const char* name_ PM_GUARDED_BY(mutex_) = nullptr;
  int64_t number_ PM_GUARDED_BY(mutex_) = 0;
  Time since_ PM_GUARDED_BY(mutex_);
};

// The one of this process, as MPI's world is: every call of every backend stands on it.
CallBoard& call_board();

}  // namespace prefixmem::trainer
