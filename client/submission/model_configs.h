// What the coordinator is told of models that are paths on the workers.
#pragma once

#include <string>
#include <vector>

#include "common/status.h"
#include "prefixmem/v1/job_service.pb.h"

namespace prefixmem::client {

// Adds the config.json of each model that `yaml`, a spec whose paths are absolute (submission.h),
// names by a folder of this host. Without those that have none or cannot be read, and no more in
// all than every coordinator takes: jobs of the others are placed by their slots alone.
Status add_model_configs(const std::string& yaml, std::vector<v1::ModelConfig>& configs);

}  // namespace prefixmem::client
