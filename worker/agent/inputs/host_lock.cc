#include "worker/agent/inputs/host_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/log.h"

namespace prefixmem::agent {
namespace {

// A file that was removed is no lock any more.
bool is_still_there(const Fd& fd, const std::filesystem::path& file) {
  struct stat held{}, named{};
  return fstat(fd.get(), &held) == 0 && stat(file.c_str(), &named) == 0 &&
         held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

}  // namespace

Result<std::optional<HostLock>> HostLock::try_to_get(const std::filesystem::path& file, Kind kind) {
  const int operation = (kind == Kind::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  while (true) {
    Fd fd(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!fd.valid()) return from_errno("opening " + file.string(), errno);
    if (flock(fd.get(), operation) != 0) {
      if (errno == EWOULDBLOCK) return std::optional<HostLock>();
      return from_errno("locking " + file.string(), errno);
    }
    if (is_still_there(fd, file)) return std::optional(HostLock(std::move(fd), file));
  }
}

// The kernel may give the exclusive one up before it gives the shared one.
Result<bool> HostLock::share() {
  if (flock(fd_.get(), LOCK_SH | LOCK_NB) == 0) return is_still_there(fd_, file_);
  if (errno == EWOULDBLOCK) return false;
  return from_errno("sharing the lock " + file_.string(), errno);
}

void HostLock::remove() {
  if (unlink(file_.c_str()) != 0) {
    spdlog::warn("{}", from_errno("removing " + file_.string(), errno).message());
  }
}

}  // namespace prefixmem::agent
