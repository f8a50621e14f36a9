// Short ways to write messages of the API.
#pragma once

#include <string>
#include <vector>

#include "prefixmem/v1/job.pb.h"

namespace prefixmem::client {

// 2026-01-01 00:00:00 UTC, where FakeClock starts.
inline constexpr int64_t kStart = 1767225600;

v1::Job make_job(const std::string& id, const std::string& name, v1::JobState state);

v1::JobEvent state_event(const std::string& job, int64_t number, v1::JobState state,
                         const std::string& reason = "");
// Step `step` of 4: loss 1 / step, 100 tokens in half a second.
v1::JobEvent step_event(const std::string& job, int64_t number, int64_t step);

// Queued, running, steps 1 to 4 and the end: numbers 1 to 7.
std::vector<v1::JobEvent> events_of(const std::string& job, v1::JobState end,
                                    const std::string& reason = "");

}  // namespace prefixmem::client
