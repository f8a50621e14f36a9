#include "worker/agent/inputs/content_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "common/disk_space.h"
#include "common/files.h"
#include "common/guarded.h"
#include "common/id.h"
#include "common/log.h"
#include "common/sha256.h"

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;

bool is_key(const std::string& name) {
  return is_sha256(name.substr(0, name.find('.'))) || name.ends_with(".hub");
}

Status rename_to(const fs::path& from, const fs::path& to) {
  if (std::rename(from.c_str(), to.c_str()) == 0) return {};
  return from_errno("renaming " + from.string() + " to " + to.string(), errno);
}

// Of its own files, not of what links in it lead to.
Result<int64_t> bytes_in(const fs::path& folder) {
  int64_t bytes = 0;
  std::error_code error;
  fs::recursive_directory_iterator at(folder, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    if (at->is_regular_file(error) && !at->is_symlink(error)) {
      bytes += static_cast<int64_t>(at->file_size(error));
    }
    if (error) break;
  }
  if (error) return from_errno("measuring " + folder.string(), error.value());
  return bytes;
}

// A job that writes into its inputs would spoil them for the others.
Status protect(const fs::path& folder) {
  std::error_code error;
  fs::recursive_directory_iterator at(folder, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    if (!at->is_regular_file(error)) continue;
    if (chmod(at->path().c_str(), 0444) != 0) {
      return from_errno("protecting " + at->path().string(), errno);
    }
  }
  if (error) return from_errno("listing " + folder.string(), error.value());
  return {};
}

// Every folder below and itself, so that what is renamed next is whole after a crash.
Status sync_folders(const fs::path& folder) {
  std::error_code error;
  fs::recursive_directory_iterator at(folder, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    if (at->is_directory()) PM_TRY(sync_folder(at->path()));
  }
  if (error) return from_errno("listing " + folder.string(), error.value());
  return sync_folder(folder);
}

}  // namespace

// One entry on its way, in incoming/<key>, whose folder `entry` is renamed to <key> at the end.
class ContentCache::Fetch {
 public:
  Fetch(ContentCache& cache, const Origin& origin, const std::stop_token& stop)
      : cache_(cache), origin_(origin), stop_(stop), folder_(cache.incoming() / origin.key()) {}
  ~Fetch() { cache_.unreserve(reserved_); }
  Fetch(const Fetch&) = delete;
  Fetch& operator=(const Fetch&) = delete;

  // Size of the entry, which is then in its place.
  Result<int64_t> run() {
    PM_TRY(remove_tree(folder_ / "entry"));
    PM_TRY(make_folders(folder_ / "work"));
    const auto reserve = [this](int64_t bytes) { return this->reserve(bytes); };
    PM_ASSIGN(const fs::path whole, origin_.bring(folder_ / "work", reserve, stop_));
    PM_TRY(make_folders(folder_ / "entry"));
    PM_TRY(rename_to(whole, folder_ / "entry" / origin_.name()));
    return publish();
  }

 private:
  Status reserve(int64_t bytes) {
    PM_TRY(cache_.reserve(bytes).with_context(origin_.name()));
    reserved_ += bytes;
    return {};
  }

  Result<int64_t> publish() {
    PM_TRY(protect(folder_ / "entry"));
    PM_ASSIGN(const int64_t bytes, bytes_in(folder_ / "entry"));
    PM_TRY(sync_folders(folder_ / "entry"));
    PM_TRY(rename_to(folder_ / "entry", cache_.options_.folder / origin_.key()));
    PM_TRY(sync_folder(cache_.options_.folder));
    PM_TRY(remove_tree(folder_));
    return bytes;
  }

  ContentCache& cache_;
  const Origin& origin_;
  const std::stop_token& stop_;
  const fs::path folder_;
  int64_t reserved_ = 0;
};

Result<std::unique_ptr<ContentCache>> ContentCache::open(ContentCacheOptions options) {
  std::unique_ptr<ContentCache> cache(new ContentCache(std::move(options)));
  PM_TRY(remove_tree(cache->incoming()));
  PM_TRY(make_folders(cache->incoming()));
  PM_TRY(cache->load());
  return cache;
}

// In the order of their last use, which their folders' times tell.
Status ContentCache::load() {
  std::vector<std::pair<fs::file_time_type, fs::path>> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(options_.folder, error)) {
    if (is_key(entry.path().filename())) {
      found.emplace_back(entry.last_write_time(error), entry.path());
    }
    if (error) break;
  }
  if (error) return from_errno("listing " + options_.folder.string(), error.value());
  std::sort(found.begin(), found.end());
  const MutexLock lock(mutex_);
  for (const auto& [time, folder] : found) {
    PM_ASSIGN(const int64_t bytes, bytes_in(folder));
    entries_[folder.filename()] = {.bytes = bytes, .last_use = ++uses_};
  }
  return {};
}

Result<CachedContent> ContentCache::get(const Origin& origin, const std::stop_token& stop) {
  const std::string key = origin.key();
  PM_ASSIGN(ContentLease lease, take_or_begin(key, stop));
  if (!lease) {
    const Result<int64_t> fetched = guarded([&] { return Fetch(*this, origin, stop).run(); });
    lease = conclude(key, fetched);
    if (!fetched.ok()) return fetched.status().with_context(origin.text());
    spdlog::info("fetched {}, {} bytes", origin.text(), *fetched);
  }
  PM_ASSIGN(fs::path path, view(key, origin.name()));
  return CachedContent{std::move(path), std::move(lease)};
}

bool ContentCache::has(const std::string& key) const {
  const MutexLock lock(mutex_);
  return entries_.contains(key);
}

int64_t ContentCache::used_bytes() const {
  const MutexLock lock(mutex_);
  return taken() - reserved_bytes_;
}

Result<ContentLease> ContentCache::take_or_begin(const std::string& key,
                                                 const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    {
      const MutexLock lock(mutex_);
    }  // so that no waiter is between its check and its wait
    changed_.notify_all();
  });
  const MutexLock lock(mutex_);
  while (!entries_.contains(key)) {
    if (stop.stop_requested()) return cancelled("stopped while " + key + " was fetched");
    if (fetching_.insert(key).second) return ContentLease();
    const auto waiting = waiting_.insert(key);
    changed_.wait(mutex_);
    waiting_.erase(waiting);
  }
  return lease(key);
}

ContentLease ContentCache::conclude(const std::string& key, const Result<int64_t>& fetched) {
  ContentLease taken;
  {
    const MutexLock lock(mutex_);
    fetching_.erase(key);
    if (fetched.ok()) {
      entries_[key] = {.bytes = *fetched};
      taken = lease(key);
    } else if (!waiting_.contains(key)) {  // otherwise one of them goes on with it
      const Status removed = remove_tree(incoming() / key);
      if (!removed.ok()) spdlog::warn("{}", removed.message());
    }
  }
  changed_.notify_all();
  return taken;
}

ContentLease ContentCache::lease(const std::string& key) {
  Entry& entry = entries_.at(key);
  entry.leases += 1;
  entry.last_use = ++uses_;
  // For the order after a restart.
  if (utimensat(AT_FDCWD, (options_.folder / key).c_str(), nullptr, 0) != 0) {
    spdlog::warn("{}", from_errno("marking the use of " + key, errno).message());
  }
  return {this, [this, key](const void*) { let_go(key); }};
}

void ContentCache::let_go(const std::string& key) {
  const MutexLock lock(mutex_);
  entries_.at(key).leases -= 1;
}

// The same content may go by several names: the first is the file, the others are links to it.
Result<fs::path> ContentCache::view(const std::string& key, const std::string& name) const {
  const fs::path folder = options_.folder / key;
  const fs::path path = folder / name;
  std::error_code error;
  if (fs::exists(path, error)) return path;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.is_symlink()) continue;
    if (symlink(entry.path().filename().c_str(), path.c_str()) == 0 || errno == EEXIST) return path;
    return from_errno("linking " + path.string(), errno);
  }
  return data_loss("the cached content " + folder.string() + " is empty");
}

int64_t ContentCache::taken() const {
  int64_t bytes = reserved_bytes_;
  for (const auto& [key, entry] : entries_) bytes += entry.bytes;
  return bytes;
}

// The room must be there before the first byte comes, so what gives way is removed meanwhile.
Status ContentCache::reserve(int64_t bytes) {
  std::vector<fs::path> gone;
  {
    const MutexLock lock(mutex_);
    PM_ASSIGN(gone, put_aside(bytes));
    reserved_bytes_ += bytes;
  }
  for (const fs::path& folder : gone) PM_TRY(remove_tree(folder));
  return {};
}

void ContentCache::unreserve(int64_t bytes) {
  const MutexLock lock(mutex_);
  reserved_bytes_ -= bytes;
}

Result<std::vector<fs::path>> ContentCache::put_aside(int64_t bytes) {
  PM_ASSIGN(const DiskSpace disk, disk_space(options_.folder));
  const int64_t free = disk.free_bytes - options_.reserve_bytes - reserved_bytes_;
  int64_t excess = std::max(taken() + bytes - options_.limit_bytes, bytes - free);
  std::vector<std::map<std::string, Entry>::iterator> unused;
  int64_t unused_bytes = 0;
  for (auto at = entries_.begin(); at != entries_.end(); ++at) {
    if (at->second.leases > 0) continue;
    unused.push_back(at);
    unused_bytes += at->second.bytes;
  }
  if (excess > unused_bytes) {
    return from_errno(
        fmt::format("{} bytes do not fit: jobs that run use {} bytes of the worker's cache, whose "
                    "--cache-limit is {}, and its disk has {} bytes free",
                    bytes, taken() - unused_bytes, options_.limit_bytes, disk.free_bytes),
        ENOSPC);
  }
  std::sort(unused.begin(), unused.end(),
            [](auto a, auto b) { return a->second.last_use < b->second.last_use; });
  std::vector<fs::path> gone;
  for (const auto& at : unused) {
    if (excess <= 0) break;
    gone.push_back(incoming() / new_id("gone"));
    PM_TRY(rename_to(options_.folder / at->first, gone.back()));
    spdlog::info("content {} of {} bytes gives way to newer", at->first, at->second.bytes);
    excess -= at->second.bytes;
    entries_.erase(at);
  }
  return gone;
}

}  // namespace prefixmem::agent
