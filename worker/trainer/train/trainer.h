// The step of a gang: each rank computes its rows, the gradients are summed, all weights updated.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "common/event/event.h"
#include "common/spec/job_spec.h"
#include "worker/trainer/collective/collective.h"
#include "worker/trainer/data/partition.h"
#include "worker/trainer/data/sampler.h"
#include "worker/trainer/model/decoder.h"
#include "worker/trainer/objective/objective.h"
#include "worker/trainer/objective/reference.h"
#include "worker/trainer/train/optimizer.h"

namespace prefixmem::trainer {

// What is learnt from what. Everything must outlive the trainer.
struct TrainTask {
  const TrainSpec& spec;
  const std::vector<Example>& examples;  // not empty; examples_per_row of each row
  int64_t examples_per_row;
  const Objective& objective;
  const Reference* reference;  // null where the objective has none
};

class Trainer {
 public:
  // All must outlive the trainer.
  Trainer(const TrainTask& task, Decoder& model, Adapter& adapter, Collective& gang);

  int64_t steps_done() const { return optimizer_->steps(); }
  int64_t total_steps() const { return total_steps_; }

  // Makes the next step; the same on every rank up to the event's memory figures, which are not
  // set. FAILED_PRECONDITION, on every rank and before the update, where the loss or the gradient
  // is not finite.
  Result<StepEvent> step();

  // The whole state besides the number of steps, which is the optimizer's.
  Optimizer& optimizer() { return *optimizer_; }

 private:
  // Loss of the whole batch; leaves its gradients, summed over the gang, in the optimizer.
  Result<double> forward_backward(const StepPlan& plan);
  // The loss of one micro-batch of this rank, as a sum; adds its gradients times `scale`.
  double forward_backward(const std::vector<int64_t>& examples, double scale);
  Status check_finite(const char* what, double value) const;

  const TrainTask task_;
  Decoder& model_;
  Adapter& adapter_;
  Collective& gang_;
  Sampler sampler_;
  const int64_t total_steps_;
  const int64_t min_shared_;  // of what rows begin with in common
  const std::unique_ptr<Optimizer> optimizer_;
};

}  // namespace prefixmem::trainer
