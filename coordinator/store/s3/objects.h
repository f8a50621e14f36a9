// Which blobs a bucket holds, kept in memory: one coordinator owns them, so nobody need be asked.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/thread_annotations.h"

namespace prefixmem::store::s3 {

// A blob that is to go is absent at once; its object goes when nobody reads it any more. Until then
// it can be revived. Thread-safe.
class Objects {
 public:
  explicit Objects(const std::map<std::string, int64_t>& sizes);

  std::optional<int64_t> size(const std::string& sha256) const;
  std::vector<std::string> all() const;

  // Is there from now on.
  void add(const std::string& sha256, int64_t bytes);
  // Whether one of that size is there, or was to go and stays. Waits while it is just going.
  bool revive(const std::string& sha256, int64_t bytes);
  // Is to go; whether it was there.
  bool doom(const std::string& sha256);
  // The bucket has it no more, by somebody else's doing, as one of its readers has found.
  void forget(const std::string& sha256);

  // Its size; none: it is not there. To be closed.
  std::optional<int64_t> open(const std::string& sha256);
  void close(const std::string& sha256);

  // The next that is to go now; none once closing. Whoever takes it removes the object, then says
  // how that went.
  std::optional<std::string> take_doomed();
  void gone(const std::string& sha256);
  void not_gone(const std::string& sha256);  // tried again after others
  // Whoever waits here does so no longer.
  void end();

 private:
  struct Object {
    int64_t bytes = 0;
    int readers = 0;
    bool doomed = false;
    bool going = false;  // it is being removed
    bool lost = false;   // somebody else has removed it
  };
  void queue_if_unread(const std::string& sha256, const Object& object) PM_REQUIRES(mutex_);

  mutable Mutex mutex_;
  CondVar changed_;
  std::map<std::string, Object> objects_ PM_GUARDED_BY(mutex_);
  std::deque<std::string> leaving_ PM_GUARDED_BY(mutex_);
  bool ended_ PM_GUARDED_BY(mutex_) = false;
};

}  // namespace prefixmem::store::s3
