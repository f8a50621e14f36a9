// The page of one job.
#pragma once

#include <string>
#include <vector>

#include "common/status.h"
#include "prefixmem/v1/job.pb.h"

namespace prefixmem::web {

// A frame that assets/job.js fills. Pure.
std::string job_page(const v1::Job& job);

// {"job": Job, "spec": YAML, "files": [Artifact…]}, as message_json writes messages.
Result<std::string> job_json(const v1::Job& job, const std::vector<v1::Artifact>& files);

}  // namespace prefixmem::web
