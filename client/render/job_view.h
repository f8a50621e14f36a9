// What a watcher knows of a job: a fold of its events.
#pragma once

#include <optional>
#include <string>

#include "prefixmem/v1/job.pb.h"

namespace prefixmem::client {

struct JobView {
  std::string id;
  std::string name;
  std::string sweep_id;  // that it is a trial of; empty: none
  v1::JobState state = v1::JOB_STATE_QUEUED;
  std::string reason;
  int attempt = 0;
  std::string phase;  // of a running gang
  int64_t step = 0;
  int64_t total_steps = 0;
  double loss = 0;             // of the last step
  std::optional<double> rate;  // tokens a second over the steps of this attempt
  std::optional<double> eta;   // seconds, by the mean of those steps and the last evaluation
  std::optional<v1::EvalEvent> eval;
  int64_t eval_every = 0;  // steps; 0: only at the end

  // Of this attempt.
  int64_t evaluated_step = -1;  // the last one
  int64_t steps_seen = 0;
  int64_t tokens = 0;
  double step_seconds = 0;
};

// Before its first event.
JobView view_of(const v1::Job& job);

// The view after the event. Pure.
JobView updated(JobView view, const v1::JobEvent& event);

}  // namespace prefixmem::client
