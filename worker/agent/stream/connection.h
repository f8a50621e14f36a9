// The worker's one stream to the coordinator, dialled again whenever it breaks.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "common/backoff.h"
#include "common/clock.h"
#include "common/status.h"
#include "worker/agent/attempt/roster.h"
#include "worker/agent/exporter/worker_metrics.h"
#include "worker/agent/stream/channel.h"
#include "worker/agent/stream/messages.h"

namespace prefixmem::agent {

// What a connection works on; outlives it.
struct ConnectionWorld {
  Dialler& dialler;
  WorkerCard card;
  Roster& roster;
  WorkerMetrics& metrics;
  const Clock& clock;  // for times that are told; waiting is by the machine's
  BackoffPolicy backoff;
  // Why nothing more should be placed here for now, one sentence; empty: there is no reason. Asked
  // for each registration and beat, and before an attempt's end is told.
  std::function<std::string()> unhealthy;
};

// Registers, beats, tells what the roster has to report and does what it is told; after a break
// registers again, with back-off, for ever. Returns when `stop` is raised.
void keep_connected(const ConnectionWorld& world, const std::stop_token& stop);

}  // namespace prefixmem::agent
