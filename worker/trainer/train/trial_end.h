// What a trial leaves besides its checkpoints.
#pragma once

#include "common/status.h"
#include "worker/trainer/train/loop.h"
#include "worker/trainer/train/session.h"

namespace prefixmem::trainer {

// After the last step: adapter, then result.json, then the result's event. Collective.
Status save_outputs(TrainingLoop& loop, Session& session);

// What is trained now as DIR/best_adapter/step-STEP, in the place of that of an earlier step.
// Collective.
Status save_best(TrainingLoop& loop, Session& session);

// Rank 0, of a trial that failed: result.json with the failure.
Status save_failure(const Status& failure, const TrainingLoop& loop, const Session& session);

}  // namespace prefixmem::trainer
