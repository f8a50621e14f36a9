// A step of several trainers in one pass of their base.
#pragma once

#include <vector>

#include "common/event/event.h"
#include "common/status.h"
#include "worker/trainer/train/trainer.h"

namespace prefixmem::trainer {

// Makes the next step of each trainer, all on `model` and one gang. Their micro-batches of a round
// share forwards of at most as many tokens as the largest train.micro_batch_tokens; those of a
// trainer with train.deterministic are computed alone, in the shapes of a run of its own. Each
// trainer's gradients are summed over the ranks by themselves.
//
// Collective. The results, in order, are the same on every rank up to times and the events' memory
// figures, which are not set: FAILED_PRECONDITION, before the update, where the trainer's loss or
// gradient is not finite, which touches no other trainer. A failure of the whole call is the
// gang's.
Result<std::vector<Result<StepEvent>>> step_together(Decoder& model,
                                                     const std::vector<Trainer*>& trainers);

}  // namespace prefixmem::trainer
