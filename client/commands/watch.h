// Following jobs until they end.
#pragma once

#include "client/commands/display.h"
#include "client/commands/lookup.h"
#include "client/session.h"

namespace prefixmem::client {

// Shows the events of the jobs from their first one on, and of trials that their sweeps begin,
// until all have ended. Over a coordinator that is away it waits (FeedOptions). The exit code is
// exit_code_of the states in which jobs and sweeps ended; a trial that its search has stopped
// counts for nothing.
Result<int> watch_jobs(const NamedJobs& watched, Session& session, Display& display);

}  // namespace prefixmem::client
