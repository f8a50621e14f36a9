#include "coordinator/core/progress.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "common/proto/timestamps.h"

namespace prefixmem {
namespace {

// No further than the type goes: workers may say any number.
int64_t sum_of(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b < 0 ? std::numeric_limits<int64_t>::min() : std::numeric_limits<int64_t>::max();
}

void apply(const v1::PhaseEvent& phase, v1::JobProgress& progress) {
  progress.set_phase(phase.phase());
  if (phase.total_steps() > 0) progress.set_total_steps(phase.total_steps());
  if (phase.trainable_parameters() > 0) {
    progress.set_trainable_parameters(phase.trainable_parameters());
  }
}

void apply(const v1::StepEvent& step, store::JobRecord& record) {
  v1::JobProgress& progress = *record.job.mutable_progress();
  progress.set_step(step.step());
  progress.set_total_steps(step.total_steps());
  progress.set_loss(step.loss());
  if (step.step() > record.furthest_step) {
    record.furthest_step = step.step();
    progress.set_tokens(sum_of(progress.tokens(), step.tokens()));
  }
  if (step.step_seconds() > 0) {
    progress.set_tokens_per_second(static_cast<double>(step.tokens()) / step.step_seconds());
  }
  record.steps_timed += 1;
  record.step_seconds += step.step_seconds();
  const double left =
      std::max(static_cast<double>(step.total_steps()) - static_cast<double>(step.step()), 0.0);
  progress.set_eta_seconds(left * record.step_seconds / static_cast<double>(record.steps_timed));
}

void apply(const v1::EvalEvent& eval, v1::JobProgress& progress) {
  for (v1::EvalEvent& known : *progress.mutable_evals()) {
    if (known.step() != eval.step() || known.metric() != eval.metric()) continue;
    known = eval;
    return;
  }
  *progress.add_evals() = eval;
}

void apply(const v1::ArtifactEvent& artifact, v1::Job& job) {
  if (artifact.kind() == store::kBestAdapter) {
    job.mutable_progress()->set_best_adapter_step(artifact.step());
  }
  set_state(artifact.step(), artifact.state_digest(), job);
}

void apply(const v1::ResultEvent& result, v1::JobProgress& progress) {
  progress.set_step(result.steps());
  progress.set_loss(result.final_loss());
  progress.set_tokens_per_second(result.tokens_per_second());
  progress.set_trainable_parameters(result.trainable_parameters());
  progress.set_eta_seconds(0);
}

}  // namespace

void apply_to_progress(const v1::TrainerEvent& event, WallTime now, store::JobRecord& record) {
  v1::JobProgress& progress = *record.job.mutable_progress();
  progress.set_wall_seconds(to_seconds(now - from_timestamp(record.job.start_time())));
  switch (event.event_case()) {
    case v1::TrainerEvent::kPhase:
      return apply(event.phase(), progress);
    case v1::TrainerEvent::kStep:
      return apply(event.step(), record);
    case v1::TrainerEvent::kEval:
      return apply(event.eval(), progress);
    case v1::TrainerEvent::kArtifact:
      return apply(event.artifact(), record.job);
    case v1::TrainerEvent::kResult:
      return apply(event.result(), progress);
    default:
      return;
  }
}

bool set_state(int64_t step, const std::string& digest, v1::Job& job) {
  const v1::JobProgress& known = job.progress();
  if (digest.empty() || step < known.state_step()) return false;
  if (step == known.state_step() && digest == known.state_digest()) return false;
  v1::JobProgress& progress = *job.mutable_progress();
  progress.set_state_step(step);
  progress.set_state_digest(digest);
  return true;
}

}  // namespace prefixmem
