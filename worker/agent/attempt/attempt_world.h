// What all attempts of a worker share.
#pragma once

#include <filesystem>
#include <optional>

#include "common/backoff.h"
#include "common/clock.h"
#include "worker/agent/attempt/trainer_command.h"
#include "worker/agent/exporter/job_metrics.h"
#include "worker/agent/gang/gang.h"
#include "worker/agent/inputs/inputs.h"
#include "worker/agent/transfer/artifact_store.h"

namespace prefixmem::agent {

struct AttemptOptions {
  std::filesystem::path work_dir;
  TrainerPrograms programs;
  std::optional<JobUser> job_user;  // none: jobs run as this program does
  WorkerDevice device;
  int threads_per_rank = 1;
  Millis cancel_grace{3000};     // from a cancel to the kill: gone within 5 s
  Millis shut_down_grace{5000};  // from the agent's own stop to the kill
  BackoffPolicy transfer_backoff{.longest = std::chrono::milliseconds(3000)};
};

// Everything that attempts share; outlives them.
struct AttemptWorld {
  AttemptOptions options;
  const Clock& clock;
  GangWorld gang;
  ArtifactStore& store;
  const Inputs& inputs;
  JobMetrics& metrics;
};

}  // namespace prefixmem::agent
