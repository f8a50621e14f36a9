// What `pmt` ends with: 0 done; 1 a job failed; 2 wrong command line; 3 a job was cancelled;
// otherwise exit_code(status) of the failure (docs/errors.md).
#pragma once

#include <vector>

#include "prefixmem/v1/job.pb.h"

namespace prefixmem::client {

inline constexpr int kExitDone = 0;
inline constexpr int kExitJobFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitJobCancelled = 3;

// Of one that waited for jobs to end: a failed one outweighs a cancelled one. Pure.
int exit_code_of(const std::vector<v1::JobState>& ended);

}  // namespace prefixmem::client
