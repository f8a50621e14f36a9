// From what a person types to jobs.
#pragma once

#include <string>
#include <vector>

#include "client/channel/server.h"

namespace prefixmem::client {

bool is_sweep_id(const std::string& text);

// Every page, up to `limit` jobs (0: all); `next_page_token` of the result says whether more exist.
Result<v1::ListJobsResponse> list_jobs(Server& server, v1::ListJobsRequest request, int64_t limit);

// The job of each id or name, and all jobs of each sweep id in the order of their submission.
Result<std::vector<v1::Job>> find_jobs(Server& server, const std::vector<std::string>& wanted);

}  // namespace prefixmem::client
