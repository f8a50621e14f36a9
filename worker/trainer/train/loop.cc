#include "worker/trainer/train/loop.h"

#include <algorithm>
#include <cmath>

#include "common/spec/spec_io.h"
#include "worker/trainer/eval/evaluate.h"
#include "worker/trainer/train/fingerprint.h"
#include "worker/trainer/train/memory.h"
#include "worker/trainer/train/stop_signal.h"

namespace prefixmem::trainer {
namespace {

constexpr int64_t kCheckpointsKept = 2;  // a damaged newest one leaves another to resume from

std::filesystem::path checkpoint_folder(const Session& session) {
  return session.files.out / "checkpoints";
}

// Ranks count where the job's bits depend on them.
std::string fingerprint_of(const Session& session) {
  const bool any_ranks = session.adapter && bits_of_any_ranks(session.spec.train, *session.adapter);
  return machine_fingerprint(*session.base.gang, any_ranks);
}

}  // namespace

TrainingLoop::TrainingLoop(Session& session)
    : session_(session),
      start_(std::chrono::steady_clock::now()),
      fingerprint_(fingerprint_of(session)) {
  if (!session.adapter) return;
  const TrainTask task{
      session.spec.train, session.data->train,           examples_per_row(session.spec.data.format),
      *session.objective, session.train_reference.get(), session.recomputed_layers};
  trainer_ =
      std::make_unique<Trainer>(task, *session.base.model, *session.adapter, *session.base.gang);
  total_steps_ = trainer_->total_steps();
}

double TrainingLoop::wall_seconds() const {
  return progress_.wall_seconds +
         std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

Status TrainingLoop::start() {
  PM_TRY(resume());
  if (session_.leads() && trainer_) {
    PM_ASSIGN(metrics_, MetricsFile::open(session_.files.out / "metrics.jsonl", steps_done()));
  }
  if (trainer_ && session_.adapter->trains_model()) PM_TRY(tell_memory());
  return {};
}

Result<bool> TrainingLoop::prepare() {
  if (evaluation_due()) {
    training_ = false;
    PM_TRY(evaluate_now());
  }
  if (steps_done() == total_steps_) return false;
  if (!training_) PM_TRY(enter(PhaseEvent::Phase::kTraining));
  return training_ = true;
}

Status TrainingLoop::finish(const StepEvent& event, Stop stop) {
  progress_.tokens += event.tokens;
  progress_.train_seconds += event.step_seconds;
  progress_.last_loss = event.loss;
  if (metrics_) PM_TRY(metrics_->append(event));
  PM_TRY(session_.emit(event));
  if (checkpoint_due() || stop != Stop::kNo) PM_TRY(write_checkpoint());
  return stop == Stop::kNo ? Status() : stop_here(stop);
}

bool TrainingLoop::checkpoint_due() const {
  const int64_t every = session_.spec.train.checkpoint_every;
  const bool last = steps_done() == total_steps_;
  if (last && session_.spec.train.output != Output::kAll) return false;
  return last || (every > 0 && steps_done() % every == 0);
}

bool TrainingLoop::evaluation_due() const {
  const auto& spec = session_.spec;
  if (eval_file(spec).empty() && !scores_holdout(spec)) return false;
  const int64_t step = steps_done();
  for (const EvalEvent& done : progress_.evals) {
    if (done.step == step) return false;
  }
  if (step == total_steps_) return true;
  if (step == progress_.first_step) return spec.eval.before;
  return spec.train.eval_every > 0 && step % spec.train.eval_every == 0;
}

Status TrainingLoop::evaluate_now() {
  PM_TRY(enter(PhaseEvent::Phase::kEvaluating));
  const EvalContext context{.spec = session_.spec.eval,
                            .examples = session_.data->eval,
                            .examples_per_row = examples_per_row(eval_data(session_.spec).format),
                            .label_ids = session_.data->label_ids,
                            .codec = *session_.base.codec,
                            .model = *session_.base.model,
                            .adapter = session_.adapter.get(),
                            .objective = *session_.objective,
                            .reference = session_.eval_reference.get(),
                            .gang = *session_.base.gang,
                            .micro_batch_tokens = session_.spec.train.micro_batch_tokens,
                            .any_ranks = session_.spec.train.deterministic,
                            .should_stop = [this] {
                              return stop_requested() ||
                                     session_.base.requests.stop_asked(session_.trial);
                            }};
  auto event = evaluate(context, steps_done());
  if (event.status().code() == Code::kCancelled) {
    if (steps_done() > 0) PM_TRY(write_checkpoint());
    return session_.together(event.status());
  }
  PM_TRY(event.status());
  progress_.evals.push_back(*event);
  return session_.emit(*event);
}

// A value that is not finite is no best one, and none that another has to be better than.
bool TrainingLoop::is_best() const {
  const auto& evals = progress_.evals;
  if (!session_.spec.train.keep_best.value_or(false) || !trainer_ || evals.empty()) return false;
  const EvalEvent& newest = evals.back();
  const bool trained = newest.step == steps_done() && newest.step != progress_.first_step;
  if (!trained || !std::isfinite(newest.value)) return false;
  const bool of_loss = metric_of(session_.spec.eval) == Metric::kLoss;
  return std::all_of(evals.begin(), evals.end() - 1, [&](const EvalEvent& before) {
    const bool counts = before.step != progress_.first_step && before.metric == newest.metric &&
                        std::isfinite(before.value);
    return !counts || (of_loss ? newest.value < before.value : newest.value > before.value);
  });
}

Status TrainingLoop::save_adapter(const std::filesystem::path& folder) {
  return session_.adapter->save_values(folder, session_.spec.model, [&](size_t index) {
    return trainer_->optimizer().gather(State::kValue, index);
  });
}

Status TrainingLoop::stop_here(Stop stop) {
  const std::string by = stop == Stop::kSignal ? "by a signal" : "on request";
  return session_.together(cancelled(
      "stopped " + by + " after step " + std::to_string(steps_done()) + " of " +
      std::to_string(total_steps_) + "; --resume goes on from the checkpoint written there"));
}

Status TrainingLoop::enter(PhaseEvent::Phase phase) {
  PhaseEvent event;
  event.phase = phase;
  event.total_steps = total_steps_;
  event.trainable_parameters = trainer_ ? session_.adapter->parameter_count() : 0;
  return session_.emit(event);
}

Status TrainingLoop::tell_memory() {
  return session_.emit(LogEvent{0, "info",
                                "each rank holds " +
                                    std::to_string(trainer_->optimizer().state_bytes()) +
                                    " bytes of gradients and optimizer state"});
}

Status TrainingLoop::write_checkpoint() {
  if (checkpointed_step_ == steps_done()) return {};
  checkpointed_step_ = steps_done();
  PM_TRY(session_.agree(metrics_ ? metrics_->sync() : Status()));
  const auto written = write_checkpoint_file();
  PM_TRY(session_.agree(written.status()));
  return session_.emit(*written);
}

Result<ArtifactEvent> TrainingLoop::write_checkpoint_file() {
  const auto begin = std::chrono::steady_clock::now();
  CheckpointInfo info{steps_done(), fingerprint_, session_.portable_yaml, session_.data->digest,
                      progress_};
  info.progress.wall_seconds = wall_seconds();
  const auto path = checkpoint_path(checkpoint_folder(session_), info.step);
  ArtifactEvent event;
  PM_ASSIGN(const auto written,
            trainer::write_checkpoint(path, info, trainer_->optimizer(), *session_.base.gang));
  event.bytes = written.bytes;
  event.state_digest = written.digest;
  const int64_t kept = session_.spec.train.keep_checkpoints.value_or(kCheckpointsKept);
  if (session_.leads()) {
    PM_TRY(prune_checkpoints(path.parent_path(), static_cast<size_t>(kept)));
  }
  event.kind = ArtifactEvent::Kind::kCheckpoint;
  event.path = path.lexically_relative(session_.files.out);
  event.step = info.step;
  event.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return event;
}

Result<ResumeChoice> TrainingLoop::choose_checkpoint(Start& start) const {
  const Resuming job{session_.portable_yaml, session_.data->digest, fingerprint_,
                     session_.spec.train.deterministic};
  const auto& another = session_.spec.train.continue_from;
  ResumeChoice choice;
  if (session_.files.resume) {
    PM_ASSIGN(choice, choose_resume_point(checkpoint_folder(session_), job));
    if (choice.point) start = Start::kOwn;
  }
  if (!choice.point && another) {
    PM_ASSIGN(choice, choose_continuation(*another, job));
    PM_TRY(check_steps_left(*choice.point));
    start = Start::kAnother;
  }
  if (choice.point) {
    PM_TRY(check_checkpoint_tensors(choice.point->contents, session_.adapter->parameters())
               .with_context("checkpoint " + choice.point->file.string()));
  }
  return choice;
}

Status TrainingLoop::check_steps_left(const ResumePoint& point) const {
  if (point.info.step < total_steps_) return {};
  return failed_precondition("train.continue_from is a checkpoint of step " +
                             std::to_string(point.info.step) + ", but training ends with step " +
                             std::to_string(total_steps_) + "; allowed: checkpoints before that");
}

Status TrainingLoop::resume() {
  if (!trainer_ || !(session_.files.resume || session_.spec.train.continue_from)) return {};
  Start start = Start::kBeginning;
  Result<ResumeChoice> choice = ResumeChoice();
  if (session_.leads()) choice = choose_checkpoint(start);
  PM_TRY(session_.agree(choice.status()));
  for (const auto& warning : choice->warnings) {
    PM_TRY(session_.emit(LogEvent{0, "warning", warning}));
  }
  auto found = static_cast<double>(start);
  PM_TRY(session_.base.gang->all_reduce_sum({&found, 1}));
  start = static_cast<Start>(found);
  if (start == Start::kBeginning) return {};
  PM_TRY(session_.agree(take_up(choice->point ? &*choice->point : nullptr)));
  const std::string step = std::to_string(steps_done());
  if (start == Start::kOwn) {
    checkpointed_step_ = steps_done();
    return session_.emit(LogEvent{0, "info", "resuming after step " + step});
  }
  progress_.first_step = steps_done();
  return session_.emit(LogEvent{0, "info", "going on after step " + step + " of another job"});
}

Status TrainingLoop::take_up(ResumePoint* point) {
  CheckpointInfo info;
  if (point != nullptr) info = point->info;
  PM_TRY(restore_checkpoint(point == nullptr ? nullptr : &point->contents, info,
                            trainer_->optimizer(), *session_.base.gang));
  progress_ = info.progress;
  return {};
}

}  // namespace prefixmem::trainer
