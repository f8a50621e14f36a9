#include "worker/agent/inputs/content_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

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
constexpr const char* kRoom = "room";
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

// Calls `visit` with all that lies below, links themselves and not what they lead to.
template <class Visit>
Status each_below(const fs::path& folder, const Visit& visit) {
  std::error_code error;
  fs::recursive_directory_iterator at(folder, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    PM_TRY(visit(*at));
  }
  if (error) return from_errno("listing " + folder.string(), error.value());
  return {};
}

// Of its own files; 0 of one that another process removes meanwhile.
int64_t bytes_in(const fs::path& folder) {
  int64_t bytes = 0;
  const Status ended = each_below(folder, [&](const fs::directory_entry& entry) -> Status {
    std::error_code error;
    const bool counts = entry.is_regular_file(error) && !entry.is_symlink(error);
    const auto size = counts ? entry.file_size(error) : 0;
    if (error) return from_errno("measuring " + entry.path().string(), error.value());
    bytes += static_cast<int64_t>(size);
    return {};
  });
  return ended.ok() ? bytes : 0;
}

// What is there was checked when it came, by whoever wrote it.
Status check_owner(const fs::path& folder) {
  struct stat is{};
  if (stat(folder.c_str(), &is) != 0) return from_errno("opening " + folder.string(), errno);
  const bool own = is.st_uid == geteuid() || is.st_uid == 0;
  if (own && (is.st_mode & S_IWOTH) == 0) return {};
  return failed_precondition("the cache " + folder.string() +
                             " may be written by other accounts; allowed: a folder that this "
                             "account alone may write, e.g. one in it");
}

Result<std::vector<std::string>> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator at(folder, error);
  for (; !error && at != fs::directory_iterator(); at.increment(error)) {
    names.push_back(at->path().filename());
  }
  if (error) return from_errno("listing " + folder.string(), error.value());
  return names;
}

// What cannot be listed is looked at another time.
std::vector<std::string> listed(const fs::path& folder) {
  auto names = names_in(folder);
  if (names.ok()) return *std::move(names);
  spdlog::warn("{}", names.status().message());
  return {};
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

void remove_or_warn(const fs::path& path) {
  const Status removed = remove_tree(path);
  if (!removed.ok()) spdlog::warn("{}", removed.message());
}

// A job that writes into its inputs would spoil them for the others.
Status protect(const fs::path& folder) {
  return each_below(folder, [](const fs::directory_entry& entry) -> Status {
    if (!entry.is_regular_file() || chmod(entry.path().c_str(), 0444) == 0) return {};
    return from_errno("protecting " + entry.path().string(), errno);
  });
}

// Every folder below and itself, so that what is renamed next is whole after a crash.
Status sync_folders(const fs::path& folder) {
  PM_TRY(each_below(folder, [](const fs::directory_entry& entry) {
    return entry.is_directory() ? sync_folder(entry.path()) : Status();
  }));
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
  ~Fetch() { remove_or_warn(folder_ / kBytes); }  // it is reserved no more
  Fetch(const Fetch&) = delete;
  Fetch& operator=(const Fetch&) = delete;

  // The entry is then in its place.
  Status run() {
    PM_TRY(remove_tree(folder_ / "entry"));
    PM_TRY(remove_tree(folder_ / kBytes));  // of a process that died
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
    return cache_.reserve(origin_.key(), bytes, stop_).with_context(origin_.name());
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
  PM_TRY(make_folders(cache->options_.folder));
  PM_TRY(check_owner(cache->options_.folder));
  PM_TRY(make_folders(cache->incoming()));
  PM_TRY(make_folders(cache->lock_of("")));
  PM_ASSIGN(const HostLock room, cache->lock_room({}));
  cache->tidy();
  return cache;
}

Result<std::vector<std::string>> ContentCache::keys() const {
  PM_ASSIGN(std::vector<std::string> names, names_in(options_.folder));
  std::erase_if(names, [](const std::string& name) { return !is_key(name); });
  return names;
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
  for (const std::string& key : all) bytes += bytes_in(place(key));
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

size_t ContentCache::waiting_for(const std::string& key) const {
  const MutexLock lock(mutex_);
  return waiting_.count(key);
}

bool ContentCache::is_bringing(const std::string& key) const {
  const MutexLock lock(mutex_);
  return fetching_.contains(key);
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
  const uint64_t before = outages_of(key);
  while (true) {
    PM_ASSIGN(ContentLease found, find(key));
    if (found) return found;
    if (stop.stop_requested()) return cancelled("stopped while " + key + " was fetched");
    if (outages_of(key) > before) return outages_.at(key).status;
    if (fetching_.insert(key).second) return ContentLease();
    const auto waiting = waiting_.insert(key);
    changed_.wait(mutex_);
    waiting_.erase(waiting);
  }
}

uint64_t ContentCache::outages_of(const std::string& key) const {
  const auto found = outages_.find(key);
  return found == outages_.end() ? 0 : found->second.count;
}

// No process hears of another's lock: it looks again.
Result<HostLock> ContentCache::bring(const Origin& origin, const std::stop_token& stop) {
  const std::string key = origin.key();
  do {
    PM_ASSIGN(auto shared, lock_where_it_is(key));
    if (shared) return *std::move(shared);
    PM_ASSIGN(auto lock, HostLock::try_to_get(lock_of(key), HostLock::Kind::kExclusive));
    if (!lock) continue;
    if (!is_there(place(key))) {
      const Status fetched = fetch(origin, stop);
      if (!fetched.ok() && !is_there(incoming() / key)) lock->remove();
      PM_TRY(Status(fetched));
    }
    PM_ASSIGN(const bool still, lock->share());
    if (still && is_there(place(key))) return *std::move(lock);
  } while (wait_unless_stopped(kLook, stop));
  return cancelled("stopped while another worker of this host fetched it");
}

Status ContentCache::fetch(const Origin& origin, const std::stop_token& stop) {
  const Status fetched = guarded([&] { return Fetch(*this, origin, stop).run(); });
  if (fetched.ok()) {
    spdlog::info("fetched {}, {} bytes", origin.text(), bytes_in(place(origin.key())));
    return fetched;
  }
  // A later attempt goes on with it, or one of those of this worker who wait.
  if (fetched.code() == Code::kUnavailable || waiting_for(origin.key()) > 0) return fetched;
  remove_or_warn(incoming() / origin.key());
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
      outages_.erase(key);
    } else if (brought.status().code() == Code::kUnavailable) {
      Outage& outage = outages_[key];
      outage = {outage.count + 1, brought.status()};
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

Result<HostLock> ContentCache::lock_room(const std::stop_token& stop) const {
  do {
    PM_ASSIGN(auto lock, HostLock::try_to_get(lock_of(kRoom), HostLock::Kind::kExclusive));
    if (lock) return *std::move(lock);
  } while (wait_unless_stopped(kLookForRoom, stop));
  return cancelled("stopped while another worker of this host made room in the cache");
}

void ContentCache::tidy() const {
  for (const std::string& name : listed(incoming())) {
    if (!is_key(name)) remove_or_warn(incoming() / name);  // it was going when its process died
  }
  for (const std::string& name : listed(lock_of(""))) {
    if (name == kRoom || is_there(place(name)) || is_there(incoming() / name)) continue;
    auto lock = HostLock::try_to_get(lock_of(name), HostLock::Kind::kExclusive);
    const bool is_of_nothing = lock.ok() && *lock && !is_there(place(name));
    if (is_of_nothing) (*lock)->remove();
  }
}

void ContentCache::remove_partial() const {
  for (const std::string& name : listed(incoming())) {
    const auto lock = HostLock::try_to_get(lock_of(name), HostLock::Kind::kExclusive);
    if (lock.ok() && *lock) remove_or_warn(incoming() / name);
  }
}

std::map<std::string, ContentCache::Arriving> ContentCache::arriving() const {
  std::map<std::string, Arriving> found;
  for (const std::string& name : listed(incoming())) {
    const fs::path folder = incoming() / name;
    Arriving one{.came = bytes_in(folder / "work") + bytes_in(folder / "entry")};
    const auto text = read_file(folder / kBytes, kMostDigits);
    if (text.ok()) one.reserved = std::strtoll(text->c_str(), nullptr, 10);
    found[name] = one;
  }
  return found;
}

Result<ContentCache::Room> ContentCache::room_for(const std::string& key) const {
  const auto on_their_way =
      arriving();  // before the entries that they become, so that none is missed
  PM_ASSIGN(const auto entries, keys());
  PM_ASSIGN(const DiskSpace disk, disk_space(options_.folder));
  Room room{0, disk.free_bytes - options_.reserve_bytes, disk.free_bytes, 0};
  for (const std::string& entry : entries) room.taken += bytes_in(place(entry));
  for (const auto& [name, one] : on_their_way) {
    if (std::find(entries.begin(), entries.end(), name) != entries.end()) continue;
    if (name == key) {
      room.came = one.came;
      continue;
    }
    room.taken += std::max(one.reserved, one.came);
    room.usable -= std::max<int64_t>(0, one.reserved - one.came);
  }
  return room;
}

int64_t ContentCache::excess_in(const Room& room, int64_t bytes) const {
  return std::max(room.taken + bytes - options_.limit_bytes, bytes - room.came - room.usable);
}

// The room must be there before the first byte comes.
Status ContentCache::reserve(const std::string& key, int64_t bytes, const std::stop_token& stop) {
  PM_ASSIGN(const HostLock room, lock_room(stop));
  PM_TRY(make_room(key, bytes));
  return write_file_atomic(incoming() / key / kBytes, std::to_string(bytes));
}

Status ContentCache::make_room(const std::string& key, int64_t bytes) {
  PM_ASSIGN(Room room, room_for(key));
  if (excess_in(room, bytes) > 0) {
    tidy();
    remove_partial();
    PM_ASSIGN(room, room_for(key));
  }
  const int64_t excess = excess_in(room, bytes);
  if (excess <= 0) return {};
  PM_ASSIGN(auto longest_unused, keys());
  std::map<std::string, fs::file_time_type> last_use;
  for (const std::string& one : longest_unused) {
    std::error_code error;
    last_use[one] = fs::last_write_time(place(one), error);
  }
  std::sort(longest_unused.begin(), longest_unused.end(),
            [&](const auto& a, const auto& b) { return last_use.at(a) < last_use.at(b); });
  std::vector<std::pair<std::string, HostLock>> going;
  int64_t gives = 0;
  for (const std::string& one : longest_unused) {
    if (gives >= excess) break;
    auto lock = HostLock::try_to_get(lock_of(one), HostLock::Kind::kExclusive);
    if (!lock.ok() || !*lock || !is_there(place(one))) continue;
    gives += bytes_in(place(one));
    going.emplace_back(one, **std::move(lock));
  }
  if (gives < excess) {
    return from_errno(
        fmt::format("{} bytes do not fit: jobs that run use {} bytes of the worker's cache, whose "
                    "--cache-limit is {}, and its disk has {} bytes free",
                    bytes, room.taken - gives, options_.limit_bytes, room.free),
        ENOSPC);
  }
  for (auto& [one, lock] : going) {
    const fs::path gone = incoming() / new_id("gone");
    PM_TRY(rename_to(place(one), gone));
    lock.remove();
    spdlog::info("content {} gives way to newer", one);
    remove_or_warn(gone);
  }
  return {};
}

}  // namespace prefixmem::agent
