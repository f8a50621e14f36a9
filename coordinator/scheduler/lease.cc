#include "coordinator/scheduler/lease.h"

#include <fmt/format.h>

namespace prefixmem::scheduler {

std::vector<LostWorker> expired_leases(MonotonicTime now, const State& state,
                                       const Config& config) {
  std::vector<LostWorker> lost;
  if (now < state.grace_end) return lost;
  for (const Worker& worker : state.workers) {
    const Millis silent = now - worker.last_heard;
    if (worker.lost || silent <= config.lease) continue;
    lost.push_back({worker.id, fmt::format("was silent for {:.1f} s", to_seconds(silent))});
  }
  return lost;
}

}  // namespace prefixmem::scheduler
