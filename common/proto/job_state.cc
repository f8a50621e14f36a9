#include "common/proto/job_state.h"

#include "common/proto/value_name.h"

namespace prefixmem {

std::string state_name(v1::JobState state) {
  if (!v1::JobState_IsValid(state)) return "state " + std::to_string(state);
  return value_name(v1::JobState_Name(state), "JOB_STATE_");
}

}  // namespace prefixmem
