// Threads for work that must not hold up the one who noticed it: a commit wakes its watchers, the
// port answers its calls.
#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "common/thread_annotations.h"

namespace prefixmem::rpc {

// Thread-safe. Works in the order posted; the destructor finishes what is posted.
class WorkQueue {
 public:
  using Work = std::function<void()>;  // throws nothing

  explicit WorkQueue(int threads);
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  void post(Work work);

 private:
  void run();

  Mutex mutex_;
  CondVar changed_;
  std::deque<Work> waiting_ PM_GUARDED_BY(mutex_);
  bool closed_ PM_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;  // constant after construction
};

}  // namespace prefixmem::rpc
