// What jobs are predicted to need of memory.
#pragma once

#include <vector>

#include "coordinator/core/live.h"
#include "coordinator/core/model_configs.h"

namespace prefixmem {

// Null where nobody has read or told of it. What the coordinator keeps comes before what a client
// says of it.
std::shared_ptr<const ModelConfig> find_model(const std::string& name, const ToldModels& told,
                                              ModelConfigs& models);

// Fills in what new jobs are placed by, of those whose model has been read or told of. Reads none.
void predict_memory(std::vector<LiveJob>& jobs, const scheduler::Config& config,
                    const ToldModels& told, ModelConfigs& models);

}  // namespace prefixmem
