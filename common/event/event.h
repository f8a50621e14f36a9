// What a trainer tells its agent while it runs: one JSON object a line over a Unix socket.
//
// Rank 0 speaks for the gang (steps, evaluations, checkpoints, results); any rank may send Failure
// and Log. The agent numbers the events of an attempt from 1 and passes them on
// (docs/architecture.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "common/status.h"

namespace prefixmem {

// A phase the gang has entered.
struct PhaseEvent {
  enum class Phase { kLoading, kEvaluating, kTraining, kSaving };
  Phase phase = Phase::kLoading;
  int64_t total_steps = 0;           // known from kTraining on
  int64_t trainable_parameters = 0;  // known after loading
};

// One optimizer step. Loss is the one before the step's update: sum of token losses over the global
// batch / its label tokens.
struct StepEvent {
  int64_t step = 0;  // 1 for the first
  int64_t total_steps = 0;
  double loss = 0;
  double learning_rate = 0;
  double grad_norm = 0;      // before clipping
  int64_t tokens = 0;        // of the rows of this step, shared or not, all ranks
  int64_t label_tokens = 0;  // in this step, all ranks
  double step_seconds = 0;
  double allreduce_seconds = 0;    // part of step_seconds
  int64_t resident_bytes = 0;      // PSS summed over the ranks of this host
  int64_t device_bytes = 0;        // GPU memory of this process; 0 on CPU
  double device_utilization = -1;  // 0..1; below 0: not known
};

struct EvalEvent {
  int64_t step = 0;    // 0: before training
  std::string metric;  // as eval.metric spells it
  double value = 0;
  int64_t rows = 0;
  double seconds = 0;
};

// A checkpoint or output file that is complete (synced and renamed). Paths are relative to the
// attempt's output folder.
struct ArtifactEvent {
  enum class Kind { kCheckpoint, kAdapter, kResult, kMetrics, kBestAdapter };
  Kind kind = Kind::kCheckpoint;
  std::string path;
  int64_t step = 0;
  int64_t bytes = 0;
  double seconds = 0;  // to write it
  // Of a checkpoint: SHA-256 of the trained values and the optimizer's, which with the step are all
  // of a run's state. Runs of one spec and data with the same one at a step are the same from
  // there.
  std::string state_digest = {};
};

struct LogEvent {
  int rank = 0;
  std::string level;  // info | warning | error
  std::string message;
};

// The gang, or the trial that it is of, ended well.
struct ResultEvent {
  int64_t steps = 0;
  double final_loss = 0;  // of the last step; 0 for method none
  double wall_seconds = 0;
  double tokens_per_second = 0;  // over the training steps
  int64_t trainable_parameters = 0;
};

// The gang cannot go on, and the process exits with exit_code(status) right after; of a trial, that
// trial alone has ended.
struct FailureEvent {
  int rank = 0;
  Status status;
};

using Event = std::variant<PhaseEvent, StepEvent, EvalEvent, ArtifactEvent, LogEvent, ResultEvent,
                           FailureEvent>;

// An event on the socket of a bank, with the one more key "trial" beside the event's own:
// {"step": {...}, "trial": 3}. A line without it concerns the whole gang.
struct TrialEvent {
  static constexpr int kWholeGang = -1;
  int trial = kWholeGang;  // index in the bank's file
  Event event;
};

// No newline inside or at the end.
std::string to_json_line(const Event& event);
std::string to_json_line(const TrialEvent& event);

// INVALID_ARGUMENT naming the key.
Result<Event> event_from_json(std::string_view line);
Result<TrialEvent> trial_event_from_json(std::string_view line);

}  // namespace prefixmem
