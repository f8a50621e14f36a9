// What a trial leaves when it ends.
#pragma once

#include "common/status.h"
#include "worker/trainer/train/loop.h"
#include "worker/trainer/train/session.h"

namespace prefixmem::trainer {

// After the last step: adapter, then result.json, then the result's event. Collective.
Status save_outputs(TrainingLoop& loop, Session& session);

// Rank 0, of a trial that failed: result.json with the failure.
Status save_failure(const Status& failure, const TrainingLoop& loop, const Session& session);

}  // namespace prefixmem::trainer
