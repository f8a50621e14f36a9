#include "common/proto/job_state.h"

#include "common/proto/timestamps.h"
#include "common/proto/value_name.h"

namespace prefixmem {

std::string state_name(v1::JobState state) {
  if (!v1::JobState_IsValid(state)) return "state " + std::to_string(state);
  return value_name(v1::JobState_Name(state), "JOB_STATE_");
}

std::string removed_text(const v1::Job& job) {
  if (!job.has_files_remove_time()) return {};
  return "; its files were removed at " + utc_text(from_timestamp(job.files_remove_time()));
}

}  // namespace prefixmem
