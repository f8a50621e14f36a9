// What jobs are predicted to need of memory.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/model/config.h"
#include "coordinator/core/live.h"

namespace prefixmem {

using ModelOf = std::function<std::shared_ptr<const ModelConfig>(const std::string& model)>;

// Fills in what new jobs are placed by, of those whose model is known.
void predict_memory(std::vector<LiveJob>& jobs, const scheduler::Config& config,
                    const ModelOf& model_of);

}  // namespace prefixmem
