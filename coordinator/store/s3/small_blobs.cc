#include "coordinator/store/s3/small_blobs.h"

#include <utility>

namespace prefixmem::store::s3 {

void SmallBlobs::add(const std::string& sha256, std::string content) {
  const MutexLock lock(mutex_);
  if (static_cast<int64_t>(content.size()) > kMostBytes || contents_.contains(sha256)) return;
  bytes_ += content.size();
  contents_.emplace(sha256, std::move(content));
  in_order_.push_back(sha256);
  while (bytes_ > kMostTogether) {
    const auto oldest = contents_.find(in_order_.front());
    bytes_ -= oldest->second.size();
    contents_.erase(oldest);
    in_order_.pop_front();
  }
}

std::optional<std::string> SmallBlobs::find(const std::string& sha256) const {
  const MutexLock lock(mutex_);
  const auto found = contents_.find(sha256);
  if (found == contents_.end()) return std::nullopt;
  return found->second;
}

}  // namespace prefixmem::store::s3
