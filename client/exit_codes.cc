#include "client/exit_codes.h"

#include <algorithm>

namespace prefixmem::client {

int exit_code_of(const std::vector<v1::JobState>& ended) {
  const auto any = [&](v1::JobState state) {
    return std::find(ended.begin(), ended.end(), state) != ended.end();
  };
  if (any(v1::JOB_STATE_FAILED)) return kExitJobFailed;
  return any(v1::JOB_STATE_CANCELLED) ? kExitJobCancelled : kExitDone;
}

}  // namespace prefixmem::client
