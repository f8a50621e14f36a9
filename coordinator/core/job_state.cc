#include "coordinator/core/job_state.h"

#include <algorithm>
#include <cctype>

namespace prefixmem {

std::string state_name(v1::JobState state) {
  constexpr std::string_view kPrefix = "JOB_STATE_";
  std::string name = v1::JobState_Name(state);
  if (name.starts_with(kPrefix)) name.erase(0, kPrefix.size());
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

}  // namespace prefixmem
