// Small questions about a job.
#pragma once

#include <string>

#include "prefixmem/v1/job.pb.h"

namespace prefixmem {

inline bool has_ended(v1::JobState state) {
  return state == v1::JOB_STATE_SUCCEEDED || state == v1::JOB_STATE_FAILED ||
         state == v1::JOB_STATE_CANCELLED;
}

// "running"; "state 42" for one that this version does not know
std::string state_name(v1::JobState state);

// "; its files were removed at 2026-11-30 12:00:00 UTC", which ends a sentence on what a job lacks;
// empty where they were not.
std::string removed_text(const v1::Job& job);

}  // namespace prefixmem
