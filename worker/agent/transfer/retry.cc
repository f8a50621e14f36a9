#include "worker/agent/transfer/retry.h"

#include "common/id.h"

namespace prefixmem::agent {

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
