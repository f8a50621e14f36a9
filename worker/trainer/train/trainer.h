// The optimizer step of a gang: each rank computes its rows, the gradients are summed, all make the
// same update.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "common/event/event.h"
#include "common/spec/job_spec.h"
#include "worker/trainer/collective/collective.h"
#include "worker/trainer/data/partition.h"
#include "worker/trainer/data/sampler.h"
#include "worker/trainer/model/decoder.h"
#include "worker/trainer/train/adamw.h"
#include "worker/trainer/train/flat_parameters.h"

namespace prefixmem::trainer {

class Trainer {
 public:
  // All must outlive the trainer. `rows` is not empty.
  Trainer(const TrainSpec& spec, const std::vector<Example>& rows, Decoder& model, Adapter& adapter,
          Collective& gang);

  int64_t steps_done() const { return optimizer_.steps(); }
  int64_t total_steps() const { return total_steps_; }

  // Makes the next step; the same on every rank up to the event's memory figures, which are not
  // set. FAILED_PRECONDITION, on every rank and before the update, where the loss or the gradient
  // is not finite.
  Result<StepEvent> step();

  // The whole state besides the number of steps, which is the optimizer's.
  FlatParameters& parameters() { return parameters_; }
  AdamW& optimizer() { return optimizer_; }

 private:
  // Sum of this rank's token losses; adds their gradients, divided by the step's label tokens.
  double forward_backward(const StepPlan& plan);
  Status sum_over_ranks(double& loss, StepEvent& event);
  Status check_finite(const char* what, double value) const;

  const TrainSpec& spec_;
  const std::vector<Example>& rows_;
  Decoder& model_;
  Adapter& adapter_;
  Collective& gang_;
  Sampler sampler_;
  const int64_t total_steps_;
  FlatParameters parameters_;
  AdamW optimizer_;
};

}  // namespace prefixmem::trainer
