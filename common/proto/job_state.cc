#include "common/proto/job_state.h"

#include <algorithm>
#include <string_view>

namespace prefixmem {

std::string state_name(v1::JobState state) {
  constexpr std::string_view kPrefix = "JOB_STATE_";
  if (!v1::JobState_IsValid(state)) return "state " + std::to_string(state);
  std::string name = v1::JobState_Name(state).substr(kPrefix.size());
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return static_cast<char>(c - 'A' + 'a'); });
  return name;
}

}  // namespace prefixmem
