// From what a person types to jobs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/channel/server.h"

namespace prefixmem::client {

// A job or a sweep.
struct Named {
  std::optional<v1::Job> job;
  std::string sweep_id;  // empty: it is a job
};

// By id or by unique name; where a job and a sweep have the name, the job. NOT_FOUND.
Result<Named> find_named(Server& server, const std::string& id_or_name);
// The same of what is to change: a name that a job and a sweep have is FAILED_PRECONDITION.
Result<Named> find_only_named(Server& server, const std::string& id_or_name);
// The id of a sweep, by id or by unique name. NOT_FOUND.
Result<std::string> find_sweep(Server& server, const std::string& id_or_name);
// The job, or all jobs of the sweep in the order of their submission.
Result<std::vector<v1::Job>> jobs_of(Server& server, const Named& named);
// Those of several names.
struct NamedJobs {
  std::vector<v1::Job> jobs;        // each once
  std::vector<std::string> sweeps;  // ids of the sweeps among what was named
};
Result<NamedJobs> find_jobs(Server& server, const std::vector<std::string>& wanted);

// Every page, up to `limit` jobs (0: all); `next_page_token` of the result says whether more exist.
Result<v1::ListJobsResponse> list_jobs(Server& server, v1::ListJobsRequest request, int64_t limit);

}  // namespace prefixmem::client
