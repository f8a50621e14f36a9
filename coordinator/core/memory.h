// What jobs are predicted to need of memory.
#pragma once

#include <vector>

#include "coordinator/core/live.h"
#include "coordinator/core/model_configs.h"

namespace prefixmem {

// Fills in what new jobs are placed by, of those whose model has been read. Reads none.
void predict_memory(std::vector<LiveJob>& jobs, const scheduler::Config& config,
                    ModelConfigs& models);

}  // namespace prefixmem
