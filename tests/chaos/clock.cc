// The time of day of a host whose clock somebody sets: preloaded into a program, it adds the
// seconds in the file PREFIXMEM_CLOCK (eight bytes, in the host's order) to what the program's
// clock says. What a thread waits for until a time of day comes at the kernel's clock, which nobody
// has set, so that time is put back: else gRPC's timers, which are Abseil's, would be hours late.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdarg>
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

int64_t offset() {
  static const volatile int64_t* const mapped = map_offset();
  return *mapped;
}

using Syscall = long (*)(long, ...);

Syscall kernel() {
  static const auto next = reinterpret_cast<Syscall>(dlsym(RTLD_NEXT, "syscall"));
  return next;
}

bool waits_for_a_time_of_day(long number, long operation, const timespec* until) {
  return number == SYS_futex && (operation & FUTEX_CLOCK_REALTIME) != 0 && until != nullptr;
}

}  // namespace

extern "C" long syscall(long number, ...) noexcept {
  std::va_list list;
  va_start(list, number);
  const long first = va_arg(list, long), second = va_arg(list, long), third = va_arg(list, long);
  const auto* fourth = va_arg(list, const timespec*);  // of a futex; of others any register
  const long fifth = va_arg(list, long), sixth = va_arg(list, long);
  va_end(list);
  timespec moved;
  if (waits_for_a_time_of_day(number, second, fourth)) {
    moved = *fourth;
    moved.tv_sec -= offset();
    fourth = &moved;
  }
  return kernel()(number, first, second, third, fourth, fifth, sixth);
}

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const long result = kernel()(SYS_clock_gettime, clock, time);
  if (result == 0 && clock == CLOCK_REALTIME) time->tv_sec += offset();
  return static_cast<int>(result);
}

// By which Abseil's waits for a time know when they began.
extern "C" int gettimeofday(timeval* time, void* zone) noexcept {
  const long result = kernel()(SYS_gettimeofday, time, zone);
  if (result == 0) time->tv_sec += offset();
  return static_cast<int>(result);
}
