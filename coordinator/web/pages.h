// What the coordinator's HTTP port serves.
#pragma once

#include <atomic>
#include <filesystem>

#include "common/http/http_server.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/metrics/metrics.h"

namespace prefixmem::web {

// All of it outlives the server.
struct PagesContext {
  Coordinator& coordinator;
  const Metrics& metrics;
  const std::filesystem::path data_dir;
  // Set, and subscribers woken, when the service ends: streams end then.
  const std::atomic<bool>& closing;
};

// /                         overview
// /metrics                  for Prometheus
// /jobs/JOB                 page of a job
// /jobs/JOB/job.json        what it shows at first: the job, its spec as YAML, its files
// /jobs/JOB/events          its events as they come (event_stream.h)
// /jobs/JOB/files/PATH      one of its files
// /assets/…                 scripts and style; chart.js is the one that Debian installs
HttpServer::Routes routes(const PagesContext& context);

}  // namespace prefixmem::web
