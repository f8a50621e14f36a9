// What gives hosts to batch jobs, as far as it is needed to have workers run there.
#pragma once

#include <string>
#include <vector>

#include "common/status.h"
#include "coordinator/scheduler/fleet.h"

namespace prefixmem::provision {

// Each call waits for the system, a bounded time. A failure is UNAVAILABLE, and nobody knows then
// whether what was asked for has happened: the next list() tells.
class BatchSystem {
 public:
  virtual ~BatchSystem() = default;

  // Those that this coordinator has submitted and that have not ended. Ids are as workers name
  // them.
  virtual Result<std::vector<scheduler::Allocation>> list() = 0;
  // Its id.
  virtual Result<std::string> submit() = 0;
  // Of one that is listed.
  virtual Status cancel(const std::string& id) = 0;
  // Likewise, and only where it has not started.
  virtual Status withdraw(const std::string& id) = 0;
};

}  // namespace prefixmem::provision
