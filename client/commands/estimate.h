// What memory a job needs.
#pragma once

#include "client/commands/spec_file.h"

namespace prefixmem::client {

// Prints what each rank of the spec's jobs is predicted to need, from the config.json of a model on
// this host or of one that the coordinator keeps.
Result<int> explain_memory(const SpecFile& file, Session& session);

}  // namespace prefixmem::client
