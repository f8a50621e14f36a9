// Parts of a job in words.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/proto/job_state.h"
#include "prefixmem/v1/job.pb.h"

namespace prefixmem::client {

std::optional<v1::JobState> state_from_name(std::string_view state);  // of state_name
std::vector<std::string> all_states();                                // in their order

// "lora r=8", "prefix_memory", "prefix_memory + lora r=8", "none"
std::string method_text(const v1::MethodSpec& method);

// Seconds from its start to its end, or to `now`; below 0 before it starts.
double run_seconds(const v1::Job& job, int64_t now_unix_millis);

}  // namespace prefixmem::client
