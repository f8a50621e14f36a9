#include "client/render/job_view.h"

#include <algorithm>

#include "client/render/job_text.h"

namespace prefixmem::client {
namespace {

void begin_attempt(JobView& view, int attempt) {
  view.attempt = attempt;
  view.phase.clear();
  view.rate.reset();
  view.eta.reset();
  view.evaluated_step = -1;
  view.steps_seen = view.tokens = 0;
  view.step_seconds = 0;
}

// Those to come, where its job evaluates at all: behind a step whose turn it is, and the last one.
int64_t evaluations_left(const JobView& view) {
  const bool done = view.evaluated_step == view.step;
  if (view.step >= view.total_steps) return done ? 0 : 1;
  if (view.eval_every <= 0) return 1;
  const int64_t behind = done ? view.step : view.step - 1;
  return (view.total_steps - 1) / view.eval_every - behind / view.eval_every + 1;
}

void set_eta(JobView& view) {
  if (view.step_seconds <= 0) return;
  const auto left = static_cast<double>(std::max<int64_t>(0, view.total_steps - view.step));
  view.eta = left * view.step_seconds / static_cast<double>(view.steps_seen);
  if (view.eval) *view.eta += static_cast<double>(evaluations_left(view)) * view.eval->seconds();
}

void add_step(JobView& view, const v1::StepEvent& step) {
  view.phase = "training";
  view.step = step.step();
  view.total_steps = step.total_steps();
  view.loss = step.loss();
  ++view.steps_seen;
  view.tokens += step.tokens();
  view.step_seconds += step.step_seconds();
  if (view.step_seconds <= 0) return;
  view.rate = static_cast<double>(view.tokens) / view.step_seconds;
  set_eta(view);
}

void add_eval(JobView& view, const v1::EvalEvent& eval) {
  view.eval = eval;
  view.evaluated_step = eval.step();
  set_eta(view);
}

void add_phase(JobView& view, const v1::PhaseEvent& phase) {
  view.phase = phase.phase();
  if (phase.total_steps() > 0) view.total_steps = phase.total_steps();
}

void set_state(JobView& view, const v1::StateEvent& event) {
  view.state = event.state();
  view.reason = event.reason();
  if (has_ended(view.state)) view.phase.clear();
}

}  // namespace

JobView view_of(const v1::Job& job) {
  JobView view;
  view.id = job.id();
  view.name = job.name();
  view.sweep_id = job.sweep_id();
  view.eval_every = job.spec().train().eval_every();
  return view;
}

JobView updated(JobView view, const v1::JobEvent& event) {
  if (event.attempt() != view.attempt) begin_attempt(view, event.attempt());
  if (event.has_state()) set_state(view, event.state());
  const v1::TrainerEvent& trainer = event.trainer();
  if (trainer.has_phase()) add_phase(view, trainer.phase());
  if (trainer.has_step()) add_step(view, trainer.step());
  if (trainer.has_eval()) add_eval(view, trainer.eval());
  return view;
}

}  // namespace prefixmem::client
