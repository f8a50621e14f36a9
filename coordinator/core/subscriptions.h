// Who wants to know that a job or a sweep has something new. A subscriber is only woken and then
// reads from the store at its own pace, so a slow one costs no memory.
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

  // `wake` is called, from any thread, after each change of that job or sweep, of any of the
  // sweep's trials too, until the returned handle is
  // gone. A call under way at that moment may still end later. The handle may outlive this object.
  [[nodiscard]] std::shared_ptr<const Wake> subscribe(const std::string& id, Wake wake);
  // Calls the subscribers of these; no lock is held meanwhile.
  void notify(const std::set<std::string>& ids);
  // Every subscriber, as at the end of the service.
  void notify_all();
  // How many handles there are.
  size_t size() const;

 private:
  struct Table {
    Mutex mutex;
    // By id; a handle takes its entry with it.
    std::multimap<std::string, std::weak_ptr<const Wake>> handles PM_GUARDED_BY(mutex);
  };

  const std::shared_ptr<Table> table_ = std::make_shared<Table>();
};

}  // namespace prefixmem
