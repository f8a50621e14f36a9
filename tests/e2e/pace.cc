// Preloaded into pmt-trainer: after more steps than any job of a test has that comes to its end,
// each takes as long as one of a small real model, so that a job that only runs while a test looks
// on does not take the machine from the tests beside it.
#include <dlfcn.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <string_view>

namespace {

constexpr int kFast = 1500;
constexpr useconds_t kStep = 50'000;  // microseconds

// Whether the trainer tells its agent of a step.
bool is_step(const void* data, size_t size) {
  const std::string_view begin(static_cast<const char*>(data), std::min<size_t>(size, 64));
  return begin.starts_with('{') && begin.find("\"step\":{") != begin.npos;
}

}  // namespace

extern "C" ssize_t send(int socket, const void* data, size_t size, int flags) {
  static const auto next = reinterpret_cast<decltype(&send)>(dlsym(RTLD_NEXT, "send"));
  static std::atomic<int> steps = 0;
  if (is_step(data, size) && ++steps > kFast) usleep(kStep);
  return next(socket, data, size, flags);
}
