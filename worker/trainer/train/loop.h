// What one trial does between its steps: metrics, checkpoints, evaluations, leaving.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "worker/trainer/train/checkpoint.h"
#include "worker/trainer/train/metrics_file.h"
#include "worker/trainer/train/resume.h"
#include "worker/trainer/train/session.h"
#include "worker/trainer/train/trainer.h"

namespace prefixmem::trainer {

// Whether a trial is to leave before its last step, and who said so.
enum class Stop { kNo, kSignal, kRequest };

// Collective: every rank calls the same functions in the same order.
class TrainingLoop {
 public:
  explicit TrainingLoop(Session& session);

  // Takes up the newest whole checkpoint of the output folder, where that is asked for and there is
  // one, otherwise the one of train.continue_from, and opens the metrics.
  Status start();
  // Evaluates where that is due; whether a step is to follow, trainer()'s. CANCELLED, after a
  // checkpoint as in finish(), where a rank was asked to stop meanwhile.
  Result<bool> prepare();
  // Takes in a step that is done. CANCELLED where the trial is to stop: a checkpoint of that step
  // is written then.
  Status finish(const StepEvent& event, Stop stop);

  // After the last step: writes what was trained into a folder, which is empty ("") on all ranks
  // but 0.
  Status save_adapter(const std::filesystem::path& folder);

  // Whether train.keep_best asks for what is trained now: the newest evaluation is of this step and
  // better than those of all steps before.
  bool is_best() const;

  Trainer& trainer() { return *trainer_; }  // none for method none
  int64_t steps_done() const { return trainer_ ? trainer_->steps_done() : 0; }
  const Progress& progress() const { return progress_; }
  double wall_seconds() const;

 private:
  bool evaluation_due() const;
  bool checkpoint_due() const;
  Status evaluate_now();
  Status resume();
  Status write_checkpoint();
  Result<ArtifactEvent> write_checkpoint_file();
  Status stop_here(Stop stop);
  // Whose checkpoint training goes on from.
  enum class Start { kBeginning, kOwn, kAnother };
  Result<ResumeChoice> choose_checkpoint(Start& start) const;
  Status check_steps_left(const ResumePoint& point) const;
  Status take_up(ResumePoint* point);
  Status enter(PhaseEvent::Phase phase);
  Status tell_memory();

  Session& session_;
  const std::chrono::steady_clock::time_point start_;
  const std::string fingerprint_;
  std::unique_ptr<Trainer> trainer_;      // null for method none
  std::unique_ptr<MetricsFile> metrics_;  // rank 0
  Progress progress_;
  int64_t total_steps_ = 0;
  int64_t checkpointed_step_ = -1;  // of the newest checkpoint that holds all there is to know
  bool training_ = false;           // the phase last told
};

}  // namespace prefixmem::trainer
