#include "coordinator/store/s3/objects.h"

#include <utility>

namespace prefixmem::store::s3 {

Objects::Objects(const std::map<std::string, int64_t>& sizes) {
  for (const auto& [sha256, bytes] : sizes) objects_[sha256].bytes = bytes;
}

std::optional<int64_t> Objects::size(const std::string& sha256) const {
  const MutexLock lock(mutex_);
  const auto found = objects_.find(sha256);
  if (found == objects_.end() || found->second.doomed) return std::nullopt;
  return found->second.bytes;
}

std::vector<std::string> Objects::all() const {
  const MutexLock lock(mutex_);
  std::vector<std::string> digests;
  for (const auto& [sha256, object] : objects_) {
    if (!object.doomed) digests.push_back(sha256);
  }
  return digests;
}

void Objects::add(const std::string& sha256, int64_t bytes) {
  const MutexLock lock(mutex_);
  Object& object = objects_[sha256];
  object.bytes = bytes;
  object.doomed = object.lost = false;
}

bool Objects::revive(const std::string& sha256, int64_t bytes) {
  const MutexLock lock(mutex_);
  auto found = objects_.find(sha256);
  while (found != objects_.end() && found->second.going && !ended_) {
    changed_.wait(mutex_);
    found = objects_.find(sha256);
  }
  if (found == objects_.end()) return false;
  Object& object = found->second;
  if (object.going || object.lost || object.bytes != bytes) return false;
  object.doomed = false;
  return true;
}

bool Objects::doom(const std::string& sha256) {
  const MutexLock lock(mutex_);
  const auto found = objects_.find(sha256);
  if (found == objects_.end() || found->second.doomed) return false;
  found->second.doomed = true;
  queue_if_unread(sha256, found->second);
  return true;
}

void Objects::forget(const std::string& sha256) {
  const MutexLock lock(mutex_);
  Object& object = objects_.at(sha256);
  object.doomed = object.lost = true;
}

void Objects::queue_if_unread(const std::string& sha256, const Object& object) {
  if (object.readers > 0) return;
  leaving_.push_back(sha256);
  changed_.notify_all();
}

std::optional<int64_t> Objects::open(const std::string& sha256) {
  const MutexLock lock(mutex_);
  const auto found = objects_.find(sha256);
  if (found == objects_.end() || found->second.doomed) return std::nullopt;
  found->second.readers += 1;
  return found->second.bytes;
}

void Objects::close(const std::string& sha256) {
  const MutexLock lock(mutex_);
  Object& object = objects_.at(sha256);
  object.readers -= 1;
  if (object.lost && object.readers == 0) {
    objects_.erase(sha256);
  } else if (object.doomed) {
    queue_if_unread(sha256, object);
  }
}

std::optional<std::string> Objects::take_doomed() {
  const MutexLock lock(mutex_);
  while (!ended_) {
    while (leaving_.empty() && !ended_) changed_.wait(mutex_);
    if (ended_) break;
    std::string sha256 = std::move(leaving_.front());
    leaving_.pop_front();
    const auto found = objects_.find(sha256);
    // It may have been revived since, or be read, or be listed twice.
    if (found == objects_.end() || !found->second.doomed || found->second.lost ||
        found->second.readers > 0) {
      continue;
    }
    found->second.going = true;
    return sha256;
  }
  return std::nullopt;
}

void Objects::gone(const std::string& sha256) {
  const MutexLock lock(mutex_);
  objects_.erase(sha256);
  changed_.notify_all();
}

void Objects::not_gone(const std::string& sha256) {
  const MutexLock lock(mutex_);
  objects_.at(sha256).going = false;
  leaving_.push_back(sha256);
  changed_.notify_all();
}

void Objects::end() {
  const MutexLock lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

}  // namespace prefixmem::store::s3
