// What the coordinator's HTTP port serves.
#pragma once

#include <atomic>
#include <filesystem>

#include "common/http/http_server.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/metrics/metrics.h"
#include "coordinator/web/door.h"

namespace prefixmem::web {

// All of it outlives the server.
struct RoutesContext {
  Coordinator& coordinator;
  const Metrics& metrics;
  std::filesystem::path data_dir;
  // Set, and subscribers woken, when the service ends: streams end then.
  const std::atomic<bool>& closing;
  Door& door;                 // through which all but /login and the assets are asked for
  tls::ServerFiles tls = {};  // of the gRPC port, for /metrics
};

// /                                overview
// /jobs/JOB                        page of a job; JOB: id, or a name that only one job has
// /sweeps/SWEEP, /workers/WORKER   pages of a sweep and a worker, by id
// /login                           where a user shows his token (door.h)
// /assets/NAME                     their scripts and style
// /metrics                         for Prometheus
// /api/overview/live               what is new of the whole service, as it comes (overview_feed.h)
// /api/jobs/JOB                    the Job
// /api/jobs/JOB/spec               its spec as YAML
// /api/jobs/JOB/live?after=N       what is new of it, as it comes (job_feed.h)
// /api/jobs/JOB/artifacts/PATH     one of its files
// /api/sweeps/SWEEP                the SweepResults
// /api/sweeps/SWEEP/spec           its spec as YAML
// /api/sweeps/SWEEP/live           what is new of it, as it comes (sweep_feed.h)
//
// and by POST, from these pages alone (common/http/same_origin.h):
//
// /api/jobs/JOB/cancel             the Job afterwards
// /api/jobs/JOB/resubmit?key=KEY   the SubmitJobResponse; KEY: the idempotency key
// /api/sweeps/SWEEP/cancel         the Sweep afterwards
// /api/sweeps/SWEEP/resubmit?key=KEY
//
// beside them what door.h has of sessions.
//
// Messages are those of the API, as JSON (common/proto/message_json.h).
HttpServer::Routes routes(const RoutesContext& context);

}  // namespace prefixmem::web
