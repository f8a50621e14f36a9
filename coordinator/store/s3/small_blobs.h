// Small blobs, kept in memory: what the coordinator itself reads, lists of folders above all, while
// others wait for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "common/thread_annotations.h"

namespace prefixmem::store::s3 {

// The newest, up to 32 MiB together. Thread-safe.
class SmallBlobs {
 public:
  static constexpr int64_t kMostBytes = int64_t{1} << 20;  // of one

  void add(const std::string& sha256, std::string content);
  std::optional<std::string> find(const std::string& sha256) const;

 private:
  static constexpr size_t kMostTogether = size_t{32} << 20;

  mutable Mutex mutex_;
  std::map<std::string, std::string> contents_ PM_GUARDED_BY(mutex_);
  std::deque<std::string> in_order_ PM_GUARDED_BY(mutex_);  // as they came
  size_t bytes_ PM_GUARDED_BY(mutex_) = 0;
};

}  // namespace prefixmem::store::s3
