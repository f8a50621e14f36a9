#include "tests/simulation/disk.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace prefixmem::simulation {
namespace {

constexpr int kLocks = SQLITE_SHM_NLOCK;

}  // namespace

// An open file, in the memory that SQLite gives for it.
struct DiskHandle {
  sqlite3_file base;
  Disk* disk;
  Disk::File* file;
  int level;  // SQLITE_LOCK_NONE … SQLITE_LOCK_EXCLUSIVE
  std::array<char, kLocks> shared, exclusive;

  int read(void* to, int amount, sqlite3_int64 from) const {
    if (disk->dead_) return SQLITE_IOERR_READ;
    const auto offset = std::min(static_cast<size_t>(from), file->bytes.size());
    const auto count = std::min(static_cast<size_t>(amount), file->bytes.size() - offset);
    std::memcpy(to, file->bytes.data() + offset, count);
    if (count == static_cast<size_t>(amount)) return SQLITE_OK;
    std::memset(static_cast<char*>(to) + count, 0, static_cast<size_t>(amount) - count);
    return SQLITE_IOERR_SHORT_READ;
  }

  int write(const void* bytes, int amount, sqlite3_int64 to) const {
    const auto offset = static_cast<size_t>(to);
    const size_t end = offset + static_cast<size_t>(amount);
    if (disk->full_ && end > file->bytes.size()) return SQLITE_FULL;
    if (!disk->begin_operation()) return SQLITE_IOERR_WRITE;
    const size_t before = file->bytes.size();
    Disk::apply(*file,
                {.offset = offset,
                 .before = file->bytes.substr(std::min(offset, before), end - offset),
                 .after = std::string(static_cast<const char*>(bytes), static_cast<size_t>(amount)),
                 .size_before = before,
                 .size_after = std::max(before, end)});
    disk->end_operation();
    return SQLITE_OK;
  }

  int truncate(sqlite3_int64 size) const {
    if (!disk->begin_operation()) return SQLITE_IOERR_TRUNCATE;
    const auto end = std::min(static_cast<size_t>(size), file->bytes.size());
    Disk::apply(*file, {.offset = end,
                        .before = file->bytes.substr(end),
                        .after = {},
                        .size_before = file->bytes.size(),
                        .size_after = end});
    disk->end_operation();
    return SQLITE_OK;
  }

  int sync() const {
    if (!disk->begin_operation()) return SQLITE_IOERR_FSYNC;
    if (!disk->lying_) file->unsynced.clear();
    disk->end_operation();
    return SQLITE_OK;
  }

  bool others_hold(int least) const {
    return std::any_of(file->handles.begin(), file->handles.end(), [&](const DiskHandle* other) {
      return other != this && other->level >= least;
    });
  }

  int lock(int wanted) {
    if (wanted <= level) return SQLITE_OK;
    const int forbids = wanted == SQLITE_LOCK_SHARED     ? SQLITE_LOCK_PENDING
                        : wanted == SQLITE_LOCK_RESERVED ? SQLITE_LOCK_RESERVED
                                                         : SQLITE_LOCK_SHARED;
    if (others_hold(forbids)) return SQLITE_BUSY;
    level = wanted;
    return SQLITE_OK;
  }

  int lock_shared_memory(int first, int count, int flags) {
    const bool wants_all = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    auto& held = wants_all ? exclusive : shared;
    const auto begin = static_cast<size_t>(first), end = begin + static_cast<size_t>(count);
    if ((flags & SQLITE_SHM_UNLOCK) != 0) {
      for (size_t i = begin; i < end; ++i) held[i] = 0;
      return SQLITE_OK;
    }
    for (const DiskHandle* other : file->handles) {
      if (other == this) continue;
      for (size_t i = begin; i < end; ++i) {
        if (other->exclusive[i] != 0 || (wants_all && other->shared[i] != 0)) return SQLITE_BUSY;
      }
    }
    for (size_t i = begin; i < end; ++i) held[i] = 1;
    return SQLITE_OK;
  }

  int map_shared_memory(size_t region, size_t size, bool extend, void volatile** at) const {
    *at = nullptr;
    while (file->shared_memory.size() <= region) {
      if (!extend) return SQLITE_OK;
      file->shared_memory.emplace_back(size, '\0');
    }
    *at = file->shared_memory[region].data();
    return SQLITE_OK;
  }

  void close() {
    std::erase(file->handles, this);
    if (file->handles.empty()) file->shared_memory.clear();
  }
};

// SQLite's view of the disk: C functions over the above.
struct Vfs {
  explicit Vfs(Disk& disk);
  ~Vfs();
  Vfs(const Vfs&) = delete;
  Vfs& operator=(const Vfs&) = delete;

  static Disk& disk(sqlite3_vfs* vfs) { return *static_cast<Disk*>(vfs->pAppData); }
  static DiskHandle& handle(sqlite3_file* file) { return *reinterpret_cast<DiskHandle*>(file); }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* out, int flags, int* got) {
    out->pMethods = nullptr;
    Disk& on = disk(vfs);
    if (on.dead_) return SQLITE_IOERR;
    const bool create = (flags & SQLITE_OPEN_CREATE) != 0;
    if (name == nullptr || (!create && !on.files_.contains(name))) return SQLITE_CANTOPEN;
    DiskHandle* const opened = new (out) DiskHandle{.base = {},
                                                    .disk = &on,
                                                    .file = &on.files_[name],
                                                    .level = 0,
                                                    .shared = {},
                                                    .exclusive = {}};
    opened->base.pMethods = &kMethods;
    opened->file->handles.push_back(opened);
    if (got != nullptr) *got = flags;
    return SQLITE_OK;
  }

  static int remove(sqlite3_vfs* vfs, const char* name, int) {
    Disk& on = disk(vfs);
    if (!on.begin_operation()) return SQLITE_IOERR_DELETE;
    on.files_.erase(name);
    on.end_operation();
    return SQLITE_OK;
  }

  static int exists(sqlite3_vfs* vfs, const char* name, int, int* answer) {
    *answer = disk(vfs).files_.contains(name) ? 1 : 0;
    return disk(vfs).dead_ ? SQLITE_IOERR_ACCESS : SQLITE_OK;
  }

  static int full_name(sqlite3_vfs*, const char* name, int size, char* out) {
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
  }

  static const sqlite3_io_methods kMethods;
  sqlite3_vfs table{};
};

const sqlite3_io_methods Vfs::kMethods = {
    .iVersion = 2,
    .xClose =
        [](sqlite3_file* file) {
          handle(file).close();
          return SQLITE_OK;
        },
    .xRead = [](sqlite3_file* file, void* to, int amount,
                sqlite3_int64 from) { return handle(file).read(to, amount, from); },
    .xWrite = [](sqlite3_file* file, const void* bytes, int amount,
                 sqlite3_int64 to) { return handle(file).write(bytes, amount, to); },
    .xTruncate = [](sqlite3_file* file, sqlite3_int64 size) { return handle(file).truncate(size); },
    .xSync = [](sqlite3_file* file, int) { return handle(file).sync(); },
    .xFileSize =
        [](sqlite3_file* file, sqlite3_int64* size) {
          *size = static_cast<sqlite3_int64>(handle(file).file->bytes.size());
          return SQLITE_OK;
        },
    .xLock = [](sqlite3_file* file, int level) { return handle(file).lock(level); },
    .xUnlock =
        [](sqlite3_file* file, int level) {
          handle(file).level = std::min(handle(file).level, level);
          return SQLITE_OK;
        },
    .xCheckReservedLock =
        [](sqlite3_file* file, int* answer) {
          *answer = handle(file).others_hold(SQLITE_LOCK_RESERVED) ? 1 : 0;
          return SQLITE_OK;
        },
    .xFileControl = [](sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; },
    .xSectorSize = [](sqlite3_file*) { return 4096; },
    .xDeviceCharacteristics = [](sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; },
    .xShmMap =
        [](sqlite3_file* file, int region, int size, int extend, void volatile** at) {
          return handle(file).map_shared_memory(static_cast<size_t>(region),
                                                static_cast<size_t>(size), extend != 0, at);
        },
    .xShmLock = [](sqlite3_file* file, int first, int count,
                   int flags) { return handle(file).lock_shared_memory(first, count, flags); },
    .xShmBarrier = [](sqlite3_file*) {},
    .xShmUnmap = [](sqlite3_file*, int) { return SQLITE_OK; },
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

Vfs::Vfs(Disk& disk) {
  const sqlite3_vfs* const real = sqlite3_vfs_find(nullptr);
  table.iVersion = 1;
  table.szOsFile = sizeof(DiskHandle);
  table.mxPathname = 1024;
  table.zName = "simulated";
  table.pAppData = &disk;
  table.xOpen = &Vfs::open;
  table.xDelete = &Vfs::remove;
  table.xAccess = &Vfs::exists;
  table.xFullPathname = &Vfs::full_name;
  table.xDlOpen = real->xDlOpen;
  table.xDlError = real->xDlError;
  table.xDlSym = real->xDlSym;
  table.xDlClose = real->xDlClose;
  table.xRandomness = [](sqlite3_vfs*, int count, char* out) {
    std::memset(out, 7, static_cast<size_t>(count));
    return count;
  };
  table.xSleep = [](sqlite3_vfs*, int micros) { return micros; };
  table.xCurrentTime = [](sqlite3_vfs*, double* days) {
    *days = 2461041.5;  // 2026-01-01
    return SQLITE_OK;
  };
  sqlite3_randomness(0, nullptr);  // begins again from xRandomness
  sqlite3_vfs_register(&table, 1);
}

Vfs::~Vfs() { sqlite3_vfs_unregister(&table); }

Disk::Disk() : vfs_(std::make_unique<Vfs>(*this)) {}

Disk::~Disk() = default;

void Disk::die_at(int64_t operation, bool after) {
  dies_at_ = operations_ + operation;
  dies_after_ = after;
}

bool Disk::begin_operation() {
  if (dead_) return false;
  ++operations_;
  if (dies_at_ && operations_ >= *dies_at_ && !dies_after_) dead_ = true;
  return !dead_;
}

void Disk::end_operation() {
  if (dies_at_ && operations_ >= *dies_at_) dead_ = true;
}

void Disk::apply(File& file, Change change) {
  file.bytes.resize(change.size_after);
  file.bytes.replace(change.offset, change.after.size(), change.after);
  file.unsynced.push_back(std::move(change));
}

// Undoes everything, then does some of it again: the disk orders its writes as it likes, but a
// file's size does not go back for a write that has come.
void Disk::restart(Random& random) {
  for (auto& [path, file] : files_) {
    std::vector<Change> changes = std::exchange(file.unsynced, {});
    for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
      file.bytes.resize(std::max(change->size_before, change->offset + change->before.size()));
      file.bytes.replace(change->offset, change->before.size(), change->before);
      file.bytes.resize(change->size_before);
    }
    for (Change& change : changes) {
      if (!random.chance(0.5)) continue;
      if (change.after.empty()) {
        file.bytes.resize(std::min(file.bytes.size(), change.size_after));
        continue;
      }
      if (random.chance(0.2)) {  // it was cut off
        const auto whole = static_cast<int64_t>(change.after.size());
        change.after.resize(static_cast<size_t>(random.between(1, whole)));
      }
      file.bytes.resize(std::max(file.bytes.size(), change.offset + change.after.size()));
      file.bytes.replace(change.offset, change.after.size(), change.after);
    }
    file.shared_memory.clear();
  }
  dies_at_.reset();
  dead_ = false;
}

}  // namespace prefixmem::simulation
