// How many values a job has.
#pragma once

#include "common/model/config.h"
#include "common/spec/job_spec.h"
#include "common/status.h"

namespace prefixmem::memory {

// Counts of values and bytes in what follows: whole numbers, of which none that a spec or a
// config.json can ask for overflows.
using Count = double;

inline constexpr Count kWide = sizeof(float);  // a trained value, its gradient, each moment

// Of the base; tied embeddings once.
Count weight_values(const ModelConfig& model);

// Of one layer's linear maps, without biases.
Count layer_map_values(const ModelConfig& model);

// That `method` trains. INVALID_ARGUMENT where it names a layer or a module that is not there.
Result<Count> trained_values(const MethodSpec& method, const ModelConfig& model);

}  // namespace prefixmem::memory
