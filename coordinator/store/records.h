// What the store keeps, as plain values. The messages are those of the API.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/clock.h"
#include "common/status.h"
#include "coordinator/auth/token.h"
#include "prefixmem/v1/content_service.pb.h"
#include "prefixmem/v1/job.pb.h"
#include "prefixmem/v1/job_service.pb.h"
#include "prefixmem/v1/sweep.pb.h"

namespace prefixmem::store {

struct JobRecord {
  int64_t seq = 0;  // order of submission, given by the store
  v1::Job job;
  int retries = 0;          // attempts lost so far
  Status stop = {};         // what the end of the placed attempt is to count as; OK: as it comes
  int64_t last_event = 0;   // number of the job's newest JobEvent
  int64_t steps_timed = 0;  // of all attempts, for the mean behind eta_seconds
  double step_seconds = 0;
  int64_t furthest_step = 0;  // that any attempt has done; tokens are counted up to it
  Millis run_time{0};         // for which its ended attempts have held slots
  int bank_limit = 0;         // jobs that its next gang may have, at most; 0: as many as any
};

struct AttemptRecord {
  std::string job_id;
  int attempt = 0;
  std::string worker_id;
  std::string gang = {};   // the same for the attempts that train together
  int64_t last_event = 0;  // newest number of the agent's events that is in the store
  WallTime start{};
  std::optional<WallTime> end = {};
  std::string code = {};  // status code name, once it has ended
  std::string message = {};
};

// Kind of the artifacts of train.keep_best.
inline constexpr const char* kBestAdapter = "best_adapter";

// A blob that specs may name.
struct ContentRecord {
  std::string sha256;
  int64_t bytes = 0;
  WallTime use{};           // when it was last wanted
  std::string tenant = {};  // who has sent it first, and has its bytes counted; empty: nobody
};

// Files that are no longer listed.
struct Dropped {
  int files = 0;
  int64_t bytes = 0;
};

struct TenantRecord {
  v1::Tenant tenant;         // name, weight and quota
  int64_t stored_bytes = 0;  // of files of its jobs and of content that it has sent
  double recent_slots = 0;   // that its jobs have held, on average, up to `used`
  WallTime used{};           // 1970: it has held none
};

struct Submission {
  std::string idempotency_key;
  std::string spec_sha256;
  std::string sweep_id;
  std::string job_id;  // of the only job where there is no sweep
};

}  // namespace prefixmem::store
