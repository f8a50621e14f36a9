#include "common/files.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "common/id.h"

namespace prefixmem {
namespace {

namespace fs = std::filesystem;

Status sync_path(const fs::path& path, int flags) {
  const Fd fd(open(path.c_str(), flags | O_CLOEXEC));
  if (!fd.valid()) return from_errno("opening " + path.string(), errno);
  if (fsync(fd.get()) != 0) return from_errno("syncing " + path.string(), errno);
  return {};
}

Status write_new_file(const fs::path& file, std::string_view bytes) {
  const Fd fd(open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd.valid()) return from_errno("creating " + file.string(), errno);
  return write_all(fd.get(), bytes, file.string());
}

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

Status too_long(const fs::path& file, int64_t max_bytes) {
  return resource_exhausted(file.string() + " is too long; allowed: at most " +
                            std::to_string(max_bytes) + " bytes");
}

}  // namespace

Status sync_folder(const fs::path& folder) { return sync_path(folder, O_RDONLY | O_DIRECTORY); }

Status write_all(int fd, std::string_view bytes, std::string_view what) {
  while (!bytes.empty()) {
    const ssize_t count = write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return from_errno("writing " + std::string(what), errno);
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return {};
}

Status publish_file(const fs::path& temporary, const fs::path& file) {
  PM_TRY(sync_path(temporary, O_RDONLY));
  if (std::rename(temporary.c_str(), file.c_str()) != 0) {
    return from_errno("renaming " + temporary.string() + " to " + file.string(), errno);
  }
  return sync_folder(folder_of(file));
}

Status write_file_atomic(const fs::path& file, std::string_view bytes) {
  const fs::path temporary = file.string() + new_id("") + ".tmp";
  Status status = write_new_file(temporary, bytes);
  if (status.ok()) status = publish_file(temporary, file);
  if (!status.ok()) unlink(temporary.c_str());
  return status;
}

Result<std::string> read_file(const fs::path& file, int64_t max_bytes) {
  const Fd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return from_errno("opening " + file.string(), errno);
  struct stat info{};
  if (fstat(fd.get(), &info) != 0) return from_errno("examining " + file.string(), errno);
  if (S_ISDIR(info.st_mode)) {
    return failed_precondition(file.string() + " is a folder; allowed: a file");
  }
  if (info.st_size > max_bytes) return too_long(file, max_bytes);
  std::string bytes;
  char block[1 << 16];
  while (true) {
    const ssize_t count = read(fd.get(), block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return from_errno("reading " + file.string(), errno);
    if (count == 0) return bytes;
    bytes.append(block, static_cast<size_t>(count));
    if (static_cast<int64_t>(bytes.size()) > max_bytes) return too_long(file, max_bytes);
  }
}

Result<Fd> open_beneath(const fs::path& folder, const fs::path& path) {
  const Fd base(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!base.valid()) return from_errno("opening " + folder.string(), errno);
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  Fd fd(static_cast<int>(syscall(SYS_openat2, base.get(), path.c_str(), &how, sizeof how)));
  if (fd.valid()) return fd;
  if (errno != EXDEV && errno != ELOOP) {
    return from_errno("opening " + (folder / path).string(), errno);
  }
  return invalid_argument(path.string() + " leads out of " + folder.string() +
                          " or over a link; allowed: a file below it");
}

Status make_folders(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return from_errno("creating folder " + folder.string(), error.value());
  return {};
}

Status remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  return error ? from_errno("removing " + path.string(), error.value()) : Status();
}

bool is_inside(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first ==
         folder.end();
}

Result<FileLock> FileLock::acquire(const fs::path& file) {
  Fd fd(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.valid()) return from_errno("opening " + file.string(), errno);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return failed_precondition(file.string() + " is locked by another process");
    }
    return from_errno("locking " + file.string(), errno);
  }
  return FileLock(std::move(fd));
}

}  // namespace prefixmem
