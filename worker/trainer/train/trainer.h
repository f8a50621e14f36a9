// One job's steps: each rank computes its rows, the gradients are summed, all weights updated.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "common/event/event.h"
#include "common/spec/job_spec.h"
#include "worker/trainer/collective/collective.h"
#include "worker/trainer/collective/exact_sum.h"
#include "worker/trainer/data/partition.h"
#include "worker/trainer/data/sampler.h"
#include "worker/trainer/model/decoder.h"
#include "worker/trainer/objective/objective.h"
#include "worker/trainer/objective/reference.h"
#include "worker/trainer/objective/score.h"
#include "worker/trainer/train/optimizer.h"

namespace prefixmem::trainer {

// What is learnt from what. Everything must outlive the trainer.
struct TrainTask {
  const TrainSpec& spec;
  const std::vector<Example>& examples;  // not empty; examples_per_row of each row
  int64_t examples_per_row;
  const Objective& objective;
  const Reference* reference;     // null where the objective has none
  int64_t recomputed_layers = 0;  // as of AdapterSpan
};

class Trainer {
 public:
  // All must outlive the trainer.
  Trainer(const TrainTask& task, Decoder& model, Adapter& adapter, Collective& gang);

  int64_t steps_done() const { return optimizer_->steps(); }
  int64_t total_steps() const { return total_steps_; }

  // Makes the next step, alone: step_together() of one.
  Result<StepEvent> step();

  // The parts of a step, in this order, for step_together() (joint_step.h). Collective.
  void begin_step();
  size_t rounds() const { return plan_.rounds; }  // of the step begun, the same on every rank
  // Each round: this rank's micro-batch, where it has one left; its scores, whose loss is to go
  // into add_loss() and its gradient, times loss_scale(), into the parameters; after_round().
  std::optional<ScoredBatch> micro_batch(size_t round) const;
  ScoreCall call(const ScoredBatch& batch) {
    return {&batch, &adapter_, task_.reference, task_.recomputed_layers};
  }
  const Objective& objective() const { return task_.objective; }
  double loss_scale() const { return 1 / units_; }
  void add_loss(double sum);
  Status after_round() { return optimizer_->after_backward(); }
  // From here on loss and gradients are those of all ranks.
  Status sum_over_ranks();
  // The update. As step_together()'s results.
  Result<StepEvent> finish_step();
  // Of the step finished last; where its loss or gradient norm was not finite there was no update.
  const StepEvent& last_step() const { return event_; }

  const TrainSpec& spec() const { return task_.spec; }
  // The whole state besides the number of steps, which is the optimizer's.
  Optimizer& optimizer() { return *optimizer_; }

 private:
  Status check_finite(const char* what, double value) const;

  const TrainTask task_;
  Decoder& model_;
  Adapter& adapter_;
  Collective& gang_;
  Sampler sampler_;
  const int64_t total_steps_;
  const int64_t min_shared_;  // of what rows begin with in common
  const std::unique_ptr<Optimizer> optimizer_;

  // Of the step begun.
  std::chrono::steady_clock::time_point start_;
  StepPlan plan_;
  double units_ = 1;                    // of all ranks
  double loss_sum_ = 0;                 // of this rank, then of all
  std::optional<ExactSum> exact_loss_;  // in its place, for the bits of any number of ranks

  StepEvent event_;  // of the step finished last
};

}  // namespace prefixmem::trainer
