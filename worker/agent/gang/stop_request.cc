#include "worker/agent/gang/stop_request.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace prefixmem::agent {

StopRequest::StopRequest() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!event_.valid()) throw std::system_error(errno, std::generic_category(), "eventfd");
}

void StopRequest::request(Millis grace) {
  const MonotonicTime end = real_clock().monotonic() + grace;
  {
    const MutexLock lock(mutex_);
    if (kill_at_ && *kill_at_ <= end) return;
    kill_at_ = end;
  }
  eventfd_write(event_.get(), 1);
}

void StopRequest::request_trial(int trial, Millis grace) {
  const MonotonicTime end = real_clock().monotonic() + grace;
  {
    const MutexLock lock(mutex_);
    trials_.push_back({trial, end});
  }
  eventfd_write(event_.get(), 1);
}

void StopRequest::knock() { eventfd_write(event_.get(), 1); }

std::optional<MonotonicTime> StopRequest::kill_at() const {
  const MutexLock lock(mutex_);
  return kill_at_;
}

std::vector<TrialStop> StopRequest::take_trials() {
  eventfd_t ignored = 0;
  eventfd_read(event_.get(), &ignored);
  const MutexLock lock(mutex_);
  return std::exchange(trials_, {});
}

}  // namespace prefixmem::agent
