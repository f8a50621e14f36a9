// The boundary at which exceptions become Statuses.
#pragma once

#include <functional>

#include "common/status.h"

namespace prefixmem::trainer {

// Runs `work`. An exception becomes one sentence: RESOURCE_EXHAUSTED where memory ran out (host or
// GPU), what a CollectiveError says, INTERNAL otherwise.
Status torch_guarded(const std::function<Status()>& work);

}  // namespace prefixmem::trainer
