// Content that jobs of this host have named, fetched once for all of them:
//
//   <sha256>/NAME           a file, whole and checked
//   <sha256>.folder/NAME/   a folder, likewise; <sha256> is of the list of its files
//   <commit>.hub/NAME/      a model of the Hub
//   incoming/               on its way; emptied at the start
//
// An entry of the folder is there when its rename is: nothing half-fetched has such a name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "common/status.h"
#include "common/thread_annotations.h"
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
  // Takes up what an earlier life of the agent has left.
  static Result<std::unique_ptr<ContentCache>> open(ContentCacheOptions options);

  // Fetches what is not here, once however many ask at a time. What the origin says,
  // RESOURCE_EXHAUSTED where it does not fit beside what is in use, CANCELLED once `stop` is
  // raised.
  Result<CachedContent> get(const Origin& origin, const std::stop_token& stop);
  // Whether get() would have nothing to fetch now.
  bool has(const std::string& key) const;

  int64_t used_bytes() const;

 private:
  struct Entry {
    int64_t bytes = 0;
    int leases = 0;
    uint64_t last_use = 0;  // the higher, the later
  };
  class Fetch;

  explicit ContentCache(ContentCacheOptions options) : options_(std::move(options)) {}

  Status load() PM_EXCLUDES(mutex_);
  std::filesystem::path incoming() const { return options_.folder / "incoming"; }
  // None: it is not here, and the caller is to fetch it; others wait until conclude().
  Result<ContentLease> take_or_begin(const std::string& key, const std::stop_token& stop);
  // Counts what has been fetched, or lets another try.
  ContentLease conclude(const std::string& key, const Result<int64_t>& fetched);
  ContentLease lease(const std::string& key) PM_REQUIRES(mutex_);
  void let_go(const std::string& key);
  // Where content that is leased lies under its name.
  Result<std::filesystem::path> view(const std::string& key, const std::string& name) const;

  // Removes unused entries until `bytes` more fit, and counts them as taken.
  Status reserve(int64_t bytes);
  void unreserve(int64_t bytes);
  // Out of sight, to be removed.
  Result<std::vector<std::filesystem::path>> put_aside(int64_t bytes) PM_REQUIRES(mutex_);
  int64_t taken() const PM_REQUIRES(mutex_);

  const ContentCacheOptions options_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::map<std::string, Entry> entries_ PM_GUARDED_BY(mutex_);  // by the name of their folder
  std::set<std::string> fetching_ PM_GUARDED_BY(mutex_);
  std::multiset<std::string> waiting_ PM_GUARDED_BY(mutex_);  // for somebody else's fetch
  int64_t reserved_bytes_ PM_GUARDED_BY(mutex_) = 0;          // of those on their way
  uint64_t uses_ PM_GUARDED_BY(mutex_) = 0;
};

}  // namespace prefixmem::agent
