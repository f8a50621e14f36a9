// The time of day of a host whose clock somebody sets: preloaded into a program, it adds the
// seconds in the file PREFIXMEM_CLOCK (eight bytes, in the host's order) to what the program's
// clock says.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace {

const volatile int64_t* map_offset() {
  const char* path = std::getenv("PREFIXMEM_CLOCK");
  const int file = path == nullptr ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  void* mapped = mmap(nullptr, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) {
    std::perror("PREFIXMEM_CLOCK");
    std::abort();
  }
  close(file);
  return static_cast<const volatile int64_t*>(mapped);
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  static const volatile int64_t* const offset = map_offset();
  const long result = syscall(SYS_clock_gettime, clock, time);
  if (result == 0 && clock == CLOCK_REALTIME) time->tv_sec += *offset;
  return static_cast<int>(result);
}
