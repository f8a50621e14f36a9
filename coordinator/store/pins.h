// What of a store must not be removed for now, and what is removed once it may.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "common/status.h"
#include "common/thread_annotations.h"

namespace prefixmem::store {

// Thread-safe. Outlives its handles. See Blobs for what each does.
class Pins {
 public:
  // Removes one blob; whether it was there. Runs under the lock of the pins, so that nobody pins it
  // between the look and the removal.
  using Drop = std::function<Result<bool>(const std::string& sha256)>;
  explicit Pins(Drop drop) : drop_(std::move(drop)) {}

  std::shared_ptr<const void> pin(const std::string& sha256);
  std::shared_ptr<const void> keep_all();
  Result<bool> remove(const std::string& sha256);

 private:
  void unpin(const std::string& sha256);
  void release();

  const Drop drop_;
  Mutex mutex_;
  std::multiset<std::string> pinned_ PM_GUARDED_BY(mutex_);
  int keepers_ PM_GUARDED_BY(mutex_) = 0;
  std::set<std::string> put_off_ PM_GUARDED_BY(mutex_);  // until nobody keeps them all
};

}  // namespace prefixmem::store
