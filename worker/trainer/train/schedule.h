// Learning rates over the steps, as transformers.optimization defines them.
#pragma once

#include <cstdint>

#include "common/spec/job_spec.h"

namespace prefixmem::trainer {

// Of the update number `step` (0 for the first) out of `total`. Warm-up rises linearly from 0;
// linear then falls to 0 at `total`, cosine follows half a period down to 0.
double learning_rate_at(const TrainSpec& spec, int64_t step, int64_t total);

}  // namespace prefixmem::trainer
