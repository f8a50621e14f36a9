// Content that jobs of this host have named, fetched once for all of them:
//
//   <sha256>/NAME           a file, whole and checked
//   <sha256>.folder/NAME/   a folder, likewise; <sha256> is of the list of its files
//   <commit>.hub/NAME/      a model of the Hub
//   incoming/<key>/         on its way, or broken off, with the bytes that are kept free for it
//   locks/<key>             shared by processes whose jobs use it, exclusive as it comes or goes
//
// An entry of the folder is there when its rename is: nothing half-fetched has such a name. Several
// workers of a host may have one folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "common/status.h"
#include "common/thread_annotations.h"
#include "worker/agent/inputs/host_lock.h"
#include "worker/agent/inputs/origin.h"

namespace prefixmem::agent {

struct ContentCacheOptions {
  std::filesystem::path folder;
  int64_t limit_bytes = 0;  // of all entries together; least recently used ones give way
  int64_t reserve_bytes = int64_t{256} << 20;  // of the disk, which it leaves to jobs' own files
};

// As long as one lives, the content that it is of stays.
using ContentLease = std::shared_ptr<const void>;

struct CachedContent {
  std::filesystem::path path;  // absolute where the cache's folder is
  ContentLease lease;
};

// Thread-safe. Outlives its leases.
class ContentCache {
 public:
  // Takes up what earlier lives of agents have left. FAILED_PRECONDITION where others may write
  // into the folder.
  static Result<std::unique_ptr<ContentCache>> open(ContentCacheOptions options);

  // Fetches what is not here, once however many ask at a time. What the origin says,
  // RESOURCE_EXHAUSTED where it does not fit beside what is in use, CANCELLED once `stop` is
  // raised.
  Result<CachedContent> get(const Origin& origin, const std::stop_token& stop);
  // Whether get() would have nothing to fetch now.
  bool has(const std::string& key) const;

  // Of whole entries.
  Result<int64_t> used_bytes() const;
  // Calls of get() that wait for another's fetch of the key.
  size_t waiting_for(const std::string& key) const;
  // Whether a call of get() brings it, or waits for another worker that does.
  bool is_bringing(const std::string& key) const;

 private:
  // An entry that jobs of this process use.
  struct Held {
    HostLock lock;  // shared
    int leases = 0;
  };
  // What is on its way, or was and will be gone on with.
  struct Arriving {
    int64_t reserved = 0;  // for all of it
    int64_t came = 0;      // bytes of it on the disk
  };
  struct Room {
    int64_t taken = 0;   // by entries and for the others on their way
    int64_t usable = 0;  // of the disk, beside what is kept free for those
    int64_t free = 0;    // of the disk
    int64_t came = 0;    // of the entry in question
  };
  struct Outage {
    uint64_t count = 0;
    Status status;  // of the newest
  };
  class Fetch;

  explicit ContentCache(ContentCacheOptions options) : options_(std::move(options)) {}

  std::filesystem::path place(const std::string& key) const { return options_.folder / key; }
  std::filesystem::path incoming() const { return options_.folder / "incoming"; }
  std::filesystem::path lock_of(const std::string& name) const {
    return options_.folder / "locks" / name;
  }
  Result<std::vector<std::string>> keys() const;

  // None: it is not here, or is just coming or going.
  Result<std::optional<HostLock>> lock_where_it_is(const std::string& key) const;
  Result<ContentLease> find(const std::string& key) PM_REQUIRES(mutex_);
  // None: it is not here, and the caller is to bring it; others wait until conclude(). UNAVAILABLE
  // where the fetch that it waited for ended so.
  Result<ContentLease> take_or_begin(const std::string& key, const std::stop_token& stop);
  uint64_t outages_of(const std::string& key) const PM_REQUIRES(mutex_);
  // Fetches it, unless another process does; the lock is shared.
  Result<HostLock> bring(const Origin& origin, const std::stop_token& stop);
  // With its lock held exclusively.
  Status fetch(const Origin& origin, const std::stop_token& stop);
  // Lets jobs use what was brought, or another try.
  ContentLease conclude(const std::string& key, Result<HostLock>& brought);
  ContentLease lease(const std::string& key) PM_REQUIRES(mutex_);
  void let_go(const std::string& key);
  // Where content that is leased lies under its name.
  Result<std::filesystem::path> view(const std::string& key, const std::string& name) const;

  // Who measures and makes room, one process at a time. CANCELLED once `stop` is raised.
  Result<HostLock> lock_room(const std::stop_token& stop) const;
  // With that lock. Removes what processes that died have left, but what can be gone on with.
  void tidy() const;
  // With that lock. Removes what has come of entries that nobody fetches now.
  void remove_partial() const;
  // Removes unused entries until `bytes` fit, and keeps them free for the entry.
  Status reserve(const std::string& key, int64_t bytes, const std::stop_token& stop);
  Status make_room(const std::string& key, int64_t bytes);
  Result<Room> room_for(const std::string& key) const;
  std::map<std::string, Arriving> arriving() const;
  // What must give way so that an entry of `bytes` fits; not above 0: nothing.
  int64_t excess_in(const Room& room, int64_t bytes) const;

  const ContentCacheOptions options_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::map<std::string, Held> held_ PM_GUARDED_BY(mutex_);
  std::set<std::string> fetching_ PM_GUARDED_BY(mutex_);
  std::multiset<std::string> waiting_ PM_GUARDED_BY(mutex_);     // for somebody else's fetch
  std::map<std::string, Outage> outages_ PM_GUARDED_BY(mutex_);  // of their origins
};

}  // namespace prefixmem::agent
