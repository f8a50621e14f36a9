// Tries again what failed because a peer was away.
#pragma once

#include <functional>
#include <stop_token>

#include "common/backoff.h"
#include "common/status.h"

namespace prefixmem::agent {

// Calls `attempt` until it gives anything but UNAVAILABLE, with a back-off in between; CANCELLED
// once `stop` is raised.
Status retry_while_unavailable(const BackoffPolicy& policy, const std::stop_token& stop,
                               const std::function<Status()>& attempt);

}  // namespace prefixmem::agent
