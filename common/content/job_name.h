// How a spec names what a job has made: job://JOB, JOB its id or name, or job://JOB/best for the
// adapter of its best evaluation (train.keep_best).
#pragma once

#include <string>
#include <string_view>

#include "common/status.h"

namespace prefixmem {

inline constexpr std::string_view kJobScheme = "job://";

// Whether `text` is meant as one.
bool names_job(std::string_view text);

struct JobName {
  std::string job;    // its id or name
  bool best = false;  // the adapter of its best evaluation

  bool operator==(const JobName&) const = default;
};

// INVALID_ARGUMENT with the text and what is allowed.
Result<JobName> parse_job_name(std::string_view text);

}  // namespace prefixmem
