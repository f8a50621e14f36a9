// What the services of the coordinator share.
#pragma once

#include <atomic>

#include "common/clock.h"
#include "coordinator/auth/token_book.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/rpc/limits.h"
#include "coordinator/rpc/work_queue.h"

namespace prefixmem::rpc {

// Outlives every call.
struct ServiceContext {
  Coordinator& coordinator;
  const Clock& clock;
  CallerLimits& limits;
  WorkQueue& calls;               // where unary calls are answered
  WorkQueue& wakes;               // where watchers go on after a commit
  WorkQueue& files;               // where the store is waited for, which may be on another host
  std::atomic<bool>& closing;     // set when the service is about to end
  const auth::TokenBook* tokens;  // null: users are not asked who they are
};

}  // namespace prefixmem::rpc
