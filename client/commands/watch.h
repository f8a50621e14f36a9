// Following jobs until they end.
#pragma once

#include <vector>

#include "client/session.h"

namespace prefixmem::client {

// Shows the events of the jobs from their first one on: on a terminal as a bar a job, redrawn in
// place; elsewhere as a line an event; with JSON as a JobEvent a line. Over a coordinator that is
// away it waits (FeedOptions). The exit code is exit_code_of the states in which the jobs ended.
Result<int> watch_jobs(const std::vector<v1::Job>& jobs, Session& session);

}  // namespace prefixmem::client
