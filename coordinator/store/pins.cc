#include "coordinator/store/pins.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace prefixmem::store {

Result<bool> Pins::remove(const std::string& sha256) {
  const MutexLock lock(mutex_);
  if (pinned_.contains(sha256)) return false;
  if (keepers_ == 0) return drop_(sha256);
  put_off_.insert(sha256);
  return false;
}

std::shared_ptr<const void> Pins::pin(const std::string& sha256) {
  {
    const MutexLock lock(mutex_);
    pinned_.insert(sha256);
    put_off_.erase(sha256);
  }
  return {this, [this, sha256](const void*) { unpin(sha256); }};
}

void Pins::unpin(const std::string& sha256) {
  const MutexLock lock(mutex_);
  pinned_.erase(pinned_.find(sha256));
}

std::shared_ptr<const void> Pins::keep_all() {
  const MutexLock lock(mutex_);
  keepers_ += 1;
  return {this, [this](const void*) { release(); }};
}

// What cannot be removed is tried again when the store is next opened.
void Pins::release() {
  const MutexLock lock(mutex_);
  if (--keepers_ > 0) return;
  for (const std::string& sha256 : std::exchange(put_off_, {})) {
    const auto removed = drop_(sha256);
    if (!removed.ok()) spdlog::warn("{}", removed.status().message());
  }
}

}  // namespace prefixmem::store
