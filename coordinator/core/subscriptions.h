// Who wants to know that a job has something new. A subscriber is only woken and then reads from
// the store at its own pace, so a slow one costs no memory.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "common/thread_annotations.h"

namespace prefixmem {

// Thread-safe.
class Subscriptions {
 public:
  using Wake = std::function<void()>;

  // `wake` is called, from any thread, after each change of the job until the returned handle is
  // gone. A call under way at that moment may still end later.
  [[nodiscard]] std::shared_ptr<const Wake> subscribe(const std::string& job_id, Wake wake);
  // Calls the subscribers of these jobs; no lock is held meanwhile.
  void notify(const std::set<std::string>& job_ids);
  // Every subscriber, as at the end of the service.
  void notify_all();

 private:
  using Handles = std::multimap<std::string, std::weak_ptr<const Wake>>;

  Mutex mutex_;
  Handles handles_ PM_GUARDED_BY(mutex_);
};

}  // namespace prefixmem
