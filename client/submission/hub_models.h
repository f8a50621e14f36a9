// Models of the Hub that a spec names: hf://ORG/NAME@REVISION, which workers fetch by themselves.
#pragma once

#include <string>
#include <vector>

#include "common/hub/hub.h"
#include "common/status.h"
#include "prefixmem/v1/job_service.pb.h"

namespace prefixmem::client {

struct HubModels {
  std::string yaml;                      // with the commit in the place of each revision
  std::vector<v1::ModelConfig> configs;  // their config.json
};

// Asks the Hub what each revision that `yaml` names is now, so that every worker and every attempt
// trains the same weights. A name that has a commit needs no Hub. INVALID_ARGUMENT for a name that
// is none, failures of the Hub; each with the key.
Result<HubModels> pin_hub_models(const std::string& yaml, const Hub& hub);

}  // namespace prefixmem::client
