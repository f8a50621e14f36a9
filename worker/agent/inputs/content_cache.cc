#include "worker/agent/inputs/content_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <thread>
#include <utility>

#include "common/backoff.h"
#include "common/clock.h"
#include "common/content/hub_name.h"
#include "common/disk_space.h"
#include "common/files.h"
#include "common/guarded.h"
#include "common/id.h"
#include "common/log.h"
#include "common/sha256.h"

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBytes = "bytes";
constexpr int64_t kMostDigits = 20;
constexpr Millis kLook(100);       // while another process fetches
constexpr Millis kLookForRoom(5);  // while another one measures what there is

bool is_key(const std::string& name) {
  const size_t dot = std::min(name.find('.'), name.size());
  const std::string digest = name.substr(0, dot), kind = name.substr(dot);
  if (kind == ".hub") return is_commit_name(digest);
  return is_sha256(digest) && (kind.empty() || kind == ".folder");
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

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// 0 of one that another process removes meanwhile.
int64_t bytes_in_entry(const fs::path& folder) {
  const auto bytes = bytes_in(folder);
  return bytes.ok() ? *bytes : 0;
}

void remove_or_warn(const fs::path& path) {
  const Status removed = remove_tree(path);
  if (!removed.ok()) spdlog::warn("{}", removed.message());
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

// One entry on its way, whose lock is held exclusively:
//
//   incoming/<key>/work/    of its origin
//   incoming/<key>/entry/   what is renamed to <key> at the end
//   incoming/<key>/bytes    that are kept free for it
class ContentCache::Fetch {
 public:
  Fetch(ContentCache& cache, const Origin& origin, const std::stop_token& stop)
      : cache_(cache), origin_(origin), stop_(stop), folder_(cache.incoming() / origin.key()) {}
  ~Fetch() { remove_or_warn(folder_ / kBytes); }
  Fetch(const Fetch&) = delete;
  Fetch& operator=(const Fetch&) = delete;

  // The entry is then in its place.
  Status run() {
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
    if (std::exchange(reserved_, true)) return {};
    return cache_.reserve(origin_.key(), bytes).with_context(origin_.name());
  }

  Status publish() {
    PM_TRY(protect(folder_ / "entry"));
    PM_TRY(sync_folders(folder_ / "entry"));
    PM_TRY(rename_to(folder_ / "entry", cache_.place(origin_.key())));
    PM_TRY(sync_folder(cache_.options_.folder));
    return remove_tree(folder_);
  }

  ContentCache& cache_;
  const Origin& origin_;
  const std::stop_token& stop_;
  const fs::path folder_;
  bool reserved_ = false;
};

Result<std::unique_ptr<ContentCache>> ContentCache::open(ContentCacheOptions options) {
  std::unique_ptr<ContentCache> cache(new ContentCache(std::move(options)));
  PM_TRY(make_folders(cache->incoming()));
  PM_TRY(make_folders(cache->lock_of("")));
  PM_TRY(cache->remove_leftovers());
  return cache;
}

Status ContentCache::remove_leftovers() const {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(incoming(), error)) {
    const std::string name = entry.path().filename();
    PM_ASSIGN(auto lock, HostLock::try_to_get(lock_of(name), HostLock::Kind::kExclusive));
    if (!lock) continue;
    remove_or_warn(entry.path());
    lock->remove();
  }
  if (error) return from_errno("listing " + incoming().string(), error.value());
  return {};
}

Result<std::vector<std::string>> ContentCache::keys() const {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(options_.folder, error)) {
    const std::string name = entry.path().filename();
    if (is_key(name)) found.push_back(name);
  }
  if (error) return from_errno("listing " + options_.folder.string(), error.value());
  return found;
}

Result<CachedContent> ContentCache::get(const Origin& origin, const std::stop_token& stop) {
  const std::string key = origin.key();
  PM_ASSIGN(ContentLease lease, take_or_begin(key, stop));
  if (!lease) {
    Result<HostLock> brought = guarded([&] { return bring(origin, stop); });
    lease = conclude(key, brought);
    if (!brought.ok()) return brought.status().with_context(origin.text());
  }
  PM_ASSIGN(fs::path path, view(key, origin.name()));
  return CachedContent{std::move(path), std::move(lease)};
}

bool ContentCache::has(const std::string& key) const { return is_there(place(key)); }

Result<int64_t> ContentCache::used_bytes() const {
  PM_ASSIGN(const auto all, keys());
  int64_t bytes = 0;
  for (const std::string& key : all) bytes += bytes_in_entry(place(key));
  return bytes;
}

Result<std::optional<HostLock>> ContentCache::lock_where_it_is(const std::string& key) const {
  if (!is_there(place(key))) return std::optional<HostLock>();
  PM_ASSIGN(auto lock, HostLock::try_to_get(lock_of(key), HostLock::Kind::kShared));
  if (lock && !is_there(place(key))) lock.reset();
  return lock;
}

Result<ContentLease> ContentCache::find(const std::string& key) {
  if (!held_.contains(key)) {
    PM_ASSIGN(auto lock, lock_where_it_is(key));
    if (!lock) return ContentLease();
    held_.emplace(key, Held{*std::move(lock)});
  }
  return lease(key);
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
  while (true) {
    PM_ASSIGN(ContentLease found, find(key));
    if (found) return found;
    if (stop.stop_requested()) return cancelled("stopped while " + key + " was fetched");
    if (fetching_.insert(key).second) return ContentLease();
    const auto waiting = waiting_.insert(key);
    changed_.wait(mutex_);
    waiting_.erase(waiting);
  }
}

// No process hears of another's lock: it looks again.
Result<HostLock> ContentCache::bring(const Origin& origin, const std::stop_token& stop) {
  const std::string key = origin.key();
  do {
    PM_ASSIGN(auto shared, lock_where_it_is(key));
    if (shared) return *std::move(shared);
    PM_ASSIGN(auto lock, HostLock::try_to_get(lock_of(key), HostLock::Kind::kExclusive));
    if (!lock) continue;
    if (!is_there(place(key))) PM_TRY(fetch(origin, stop));
    PM_TRY(lock->share());
    if (is_there(place(key))) return *std::move(lock);
  } while (wait_unless_stopped(kLook, stop));
  return cancelled("stopped while another worker of this host fetched it");
}

Status ContentCache::fetch(const Origin& origin, const std::stop_token& stop) {
  const Status fetched = guarded([&] { return Fetch(*this, origin, stop).run(); });
  if (fetched.ok()) {
    spdlog::info("fetched {}, {} bytes", origin.text(), bytes_in_entry(place(origin.key())));
    return fetched;
  }
  if (fetched.code() == Code::kUnavailable) return fetched;  // a later attempt goes on with it
  const MutexLock lock(mutex_);
  // So does one of those who wait.
  if (!waiting_.contains(origin.key())) remove_or_warn(incoming() / origin.key());
  return fetched;
}

ContentLease ContentCache::conclude(const std::string& key, Result<HostLock>& brought) {
  ContentLease taken;
  {
    const MutexLock lock(mutex_);
    fetching_.erase(key);
    if (brought.ok()) {
      held_.emplace(key, Held{std::move(*brought)});
      taken = lease(key);
    }
  }
  changed_.notify_all();
  return taken;
}

ContentLease ContentCache::lease(const std::string& key) {
  held_.at(key).leases += 1;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);  // the kernel's own for files is coarser
  const timespec times[2] = {now, now};
  if (utimensat(AT_FDCWD, place(key).c_str(), times, 0) != 0) {
    spdlog::warn("{}", from_errno("marking the use of " + key, errno).message());
  }
  return {this, [this, key](const void*) { let_go(key); }};
}

void ContentCache::let_go(const std::string& key) {
  const MutexLock lock(mutex_);
  if (--held_.at(key).leases == 0) held_.erase(key);
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

int64_t ContentCache::reserved_bytes() const {
  int64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(incoming(), error)) {
    const auto text = read_file(entry.path() / kBytes, kMostDigits);
    if (text.ok()) bytes += std::strtoll(text->c_str(), nullptr, 10);
  }
  return bytes;
}

// The room must be there before the first byte comes, so what gives way is removed meanwhile.
Status ContentCache::reserve(const std::string& key, int64_t bytes) {
  std::vector<fs::path> gone;
  {
    std::optional<HostLock> one_at_a_time;
    while (!one_at_a_time) {
      PM_ASSIGN(one_at_a_time, HostLock::try_to_get(lock_of("room"), HostLock::Kind::kExclusive));
      if (!one_at_a_time) std::this_thread::sleep_for(kLookForRoom);
    }
    PM_ASSIGN(gone, put_aside(bytes));
    PM_TRY(write_file_atomic(incoming() / key / kBytes, std::to_string(bytes)));
  }
  for (const fs::path& folder : gone) PM_TRY(remove_tree(folder));
  return {};
}

Result<std::vector<ContentCache::Unused>> ContentCache::unused_entries() {
  PM_ASSIGN(const auto all, keys());
  std::vector<Unused> unused;
  for (const std::string& key : all) {
    PM_ASSIGN(auto lock, HostLock::try_to_get(lock_of(key), HostLock::Kind::kExclusive));
    if (!lock || !is_there(place(key))) continue;
    std::error_code error;
    const auto last_use = fs::last_write_time(place(key), error);
    unused.push_back({key, *std::move(lock), bytes_in_entry(place(key)), last_use});
  }
  std::sort(unused.begin(), unused.end(),
            [](const Unused& a, const Unused& b) { return a.last_use < b.last_use; });
  return unused;
}

Result<ContentCache::Room> ContentCache::room() const {
  PM_ASSIGN(const DiskSpace disk, disk_space(options_.folder));
  PM_ASSIGN(const int64_t used, used_bytes());
  const int64_t reserved = reserved_bytes();
  return Room{used + reserved, disk.free_bytes,
              disk.free_bytes - options_.reserve_bytes - reserved};
}

int64_t ContentCache::excess_in(const Room& room, int64_t bytes) const {
  return std::max(room.taken + bytes - options_.limit_bytes, bytes - room.usable);
}

Result<std::vector<fs::path>> ContentCache::put_aside(int64_t bytes) {
  PM_ASSIGN(Room room, this->room());
  if (excess_in(room, bytes) > 0) {
    PM_TRY(remove_leftovers());
    PM_ASSIGN(room, this->room());
  }
  int64_t excess = excess_in(room, bytes);
  if (excess <= 0) return std::vector<fs::path>();
  PM_ASSIGN(auto unused, unused_entries());
  int64_t unused_bytes = 0;
  for (const Unused& entry : unused) unused_bytes += entry.bytes;
  if (excess > unused_bytes) {
    return from_errno(
        fmt::format("{} bytes do not fit: jobs that run use {} bytes of the worker's cache, whose "
                    "--cache-limit is {}, and its disk has {} bytes free",
                    bytes, room.taken - unused_bytes, options_.limit_bytes, room.free),
        ENOSPC);
  }
  std::vector<fs::path> gone;
  for (Unused& entry : unused) {
    if (excess <= 0) break;
    gone.push_back(incoming() / new_id("gone"));
    PM_TRY(rename_to(place(entry.key), gone.back()));
    entry.lock.remove();
    spdlog::info("content {} of {} bytes gives way to newer", entry.key, entry.bytes);
    excess -= entry.bytes;
  }
  return gone;
}

}  // namespace prefixmem::agent
