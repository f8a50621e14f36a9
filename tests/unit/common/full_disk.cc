#include "tests/unit/common/full_disk.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

namespace prefixmem {
namespace {

thread_local std::optional<size_t> room_left;

}  // namespace

FullDisk::FullDisk(size_t room) { room_left = room; }
FullDisk::~FullDisk() { room_left.reset(); }

// NOLINTBEGIN(bugprone-reserved-identifier, readability-identifier-naming): the linker's names.
extern "C" {

ssize_t __real_write(int fd, const void* bytes, size_t count);

ssize_t __wrap_write(int fd, const void* bytes, size_t count) {
  if (!room_left || count == 0) return __real_write(fd, bytes, count);
  if (*room_left == 0) {
    errno = ENOSPC;
    return -1;
  }
  const ssize_t written = __real_write(fd, bytes, std::min(count, *room_left));
  if (written > 0) *room_left -= static_cast<size_t>(written);
  return written;
}
}
// NOLINTEND(bugprone-reserved-identifier, readability-identifier-naming)

}  // namespace prefixmem
