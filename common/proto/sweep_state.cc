#include "common/proto/sweep_state.h"

#include <algorithm>
#include <string_view>

namespace prefixmem {

std::string state_name(v1::SweepState state) {
  constexpr std::string_view kPrefix = "SWEEP_STATE_";
  if (!v1::SweepState_IsValid(state)) return "state " + std::to_string(state);
  std::string name = v1::SweepState_Name(state).substr(kPrefix.size());
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return static_cast<char>(c - 'A' + 'a'); });
  return name;
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

}  // namespace prefixmem
