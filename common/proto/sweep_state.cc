#include "common/proto/sweep_state.h"

#include "common/proto/value_name.h"
#include "common/spec/spec_io.h"

namespace prefixmem {

std::string state_name(v1::SweepState state) {
  if (!v1::SweepState_IsValid(state)) return "state " + std::to_string(state);
  return value_name(v1::SweepState_Name(state), "SWEEP_STATE_");
}

void add_to(v1::TrialCounts& counts, v1::JobState state, int trials) {
  switch (state) {
    case v1::JOB_STATE_QUEUED:
    case v1::JOB_STATE_STARTING:
      return counts.set_waiting(counts.waiting() + trials);
    case v1::JOB_STATE_RUNNING:
      return counts.set_running(counts.running() + trials);
    case v1::JOB_STATE_SUCCEEDED:
      return counts.set_succeeded(counts.succeeded() + trials);
    case v1::JOB_STATE_FAILED:
      return counts.set_failed(counts.failed() + trials);
    case v1::JOB_STATE_CANCELLED:
      return counts.set_cancelled(counts.cancelled() + trials);
    default:
      return;
  }
}

std::map<std::string, std::string> sweep_settings(const v1::JobSpec& trial) {
  std::map<std::string, std::string> settings;
  for (const auto& [key, value] : trial.labels()) {
    if (key.starts_with(kSweepLabel)) settings[key.substr(kSweepLabel.size())] = value;
  }
  return settings;
}

}  // namespace prefixmem
