// Following jobs until they end.
#pragma once

#include <string>
#include <vector>

#include "client/commands/display.h"
#include "client/session.h"

namespace prefixmem::client {

struct WatchedJobs {
  std::vector<v1::Job> jobs;
  std::vector<std::string> sweeps;  // ids of those whose further trials are watched too
};

// Shows the events of the jobs from their first one on, and of trials that their sweeps begin,
// until all have ended. Over a coordinator that is away it waits (FeedOptions). The exit code is
// exit_code_of the states in which jobs and sweeps ended; a trial that its search has stopped
// counts for nothing.
Result<int> watch_jobs(const WatchedJobs& watched, Session& session, Display& display);

}  // namespace prefixmem::client
