// Lock discipline that clang checks with -Wthread-safety; g++ sees plain code. A member protected
// by a mutex says PM_GUARDED_BY(mutex_), a private function that needs it held PM_REQUIRES(mutex_).
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define PM_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define PM_THREAD_ANNOTATION(x)
#endif

#define PM_CAPABILITY(x) PM_THREAD_ANNOTATION(capability(x))
#define PM_SCOPED_CAPABILITY PM_THREAD_ANNOTATION(scoped_lockable)
#define PM_GUARDED_BY(x) PM_THREAD_ANNOTATION(guarded_by(x))
#define PM_PT_GUARDED_BY(x) PM_THREAD_ANNOTATION(pt_guarded_by(x))
#define PM_REQUIRES(...) PM_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define PM_EXCLUDES(...) PM_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define PM_ACQUIRE(...) PM_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define PM_RELEASE(...) PM_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define PM_NO_THREAD_SAFETY_ANALYSIS PM_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace prefixmem {

class PM_CAPABILITY("mutex") Mutex {
 public:
  void lock() PM_ACQUIRE() { mutex_.lock(); }
  void unlock() PM_RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

// Holds a mutex for a block. Never unlocked by hand: make the block smaller.
class PM_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) PM_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() PM_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits release the mutex and hold it again on return; they may wake for no reason, so the caller
// loops on its condition.
class CondVar {
 public:
  void wait(Mutex& mutex) PM_REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // False where the time was up.
  template <class Clock, class Duration>
  bool wait_until(Mutex& mutex, std::chrono::time_point<Clock, Duration> deadline)
      PM_REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    const bool in_time = condition_.wait_until(lock, deadline) == std::cv_status::no_timeout;
    lock.release();
    return in_time;
  }
  bool wait_for(Mutex& mutex, std::chrono::milliseconds span) PM_REQUIRES(mutex) {
    return wait_until(mutex, std::chrono::steady_clock::now() + span);
  }
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace prefixmem
