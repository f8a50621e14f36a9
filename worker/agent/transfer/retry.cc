#include "worker/agent/transfer/retry.h"

#include <condition_variable>
#include <mutex>

#include "common/id.h"

namespace prefixmem::agent {

bool wait_unless_stopped(std::chrono::milliseconds span, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, span, [] { return false; });
  return !stop.stop_requested();
}

Status retry_while_unavailable(const BackoffPolicy& policy, const std::stop_token& stop,
                               const std::function<Status()>& attempt) {
  for (int retry = 0;; ++retry) {
    if (stop.stop_requested()) return cancelled("stopped while trying again");
    const Status status = attempt();
    if (status.code() != Code::kUnavailable) return status;
    wait_unless_stopped(backoff_delay(policy, retry, random_share()), stop);
  }
}

}  // namespace prefixmem::agent
