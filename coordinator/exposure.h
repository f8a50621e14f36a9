// What a coordinator may serve to whom.
#pragma once

#include <string>
#include <vector>

#include "coordinator/service.h"

namespace prefixmem {

// A sentence for each port that others than this host may reach and that does not ask them who they
// are, naming the flag, its value and what is allowed. INVALID_ARGUMENT for an --auth that is not
// known or that lacks the TLS it needs. Pure.
Result<std::vector<std::string>> exposures(const ServiceOptions& options);

}  // namespace prefixmem
