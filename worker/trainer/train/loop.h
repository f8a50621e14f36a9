// What happens between steps: votes, metrics, checkpoints, evaluations.
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

// Collective: every rank calls the same functions in the same order.
class TrainingLoop {
 public:
  explicit TrainingLoop(Session& session);

  // With --resume: takes up the newest whole checkpoint of the output folder, where there is one.
  Status resume();
  // Trains and evaluates to the end. CANCELLED after a stop signal on any rank; a checkpoint of the
  // last step done is written then.
  Status run();

  // After run(): writes what was trained into a folder, which is empty ("") on all ranks but 0.
  Status save_adapter(const std::filesystem::path& folder);

  // Meaningful after run().
  int64_t steps_done() const { return trainer_ ? trainer_->steps_done() : 0; }
  const Progress& progress() const { return progress_; }
  double wall_seconds() const;

 private:
  bool evaluation_due() const;
  bool checkpoint_due() const;
  Status train_one_step();
  // One vote of all ranks that the step is done; adds the gang's memory to the event and returns
  // whether somebody was asked to stop.
  Result<bool> vote(StepEvent& event);
  Status evaluate_now();
  Status write_checkpoint();
  Result<ArtifactEvent> write_checkpoint_file();
  Status stop_here(const std::string& where);
  Result<ResumeChoice> choose_checkpoint() const;
  Status take_up(ResumePoint* point);
  Status enter(PhaseEvent::Phase phase);
  Status tell_memory();

  Session& session_;
  const std::chrono::steady_clock::time_point start_;
  const std::string spec_yaml_, fingerprint_;
  std::unique_ptr<Trainer> trainer_;      // null for method none
  std::unique_ptr<MetricsFile> metrics_;  // rank 0
  Progress progress_;
  int64_t total_steps_ = 0;
  int64_t checkpointed_step_ = -1;  // of the newest checkpoint that holds all there is to know
  int64_t own_bytes_ = 0;           // this process's memory when last measured
  int64_t steps_of_this_process_ = 0;
};

}  // namespace prefixmem::trainer
