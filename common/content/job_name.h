// How a spec names what a job has made: job://JOB, JOB its id or name.
#pragma once

#include <string>
#include <string_view>

#include "common/status.h"

namespace prefixmem {

inline constexpr std::string_view kJobScheme = "job://";

// Whether `text` is meant as one.
bool names_job(std::string_view text);
// The job's id or name. INVALID_ARGUMENT with the text and what is allowed.
Result<std::string> parse_job_name(std::string_view text);

}  // namespace prefixmem
