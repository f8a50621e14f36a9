// The life of jobs as a trace that Perfetto and chrome://tracing open.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "prefixmem/v1/job.pb.h"

namespace prefixmem::client {

// What a job did from one moment to another, or at one moment. Times in microseconds since 1970.
struct Span {
  std::string name;
  int depth = 0;  // 0: the job; 1: queued, or an attempt; 2: a phase of it; 3: what is done in it
  bool instant = false;
  int64_t begin = 0;
  int64_t end = 0;  // at least `begin`
  nlohmann::json args = nlohmann::json::object();
};

// By begin, outer before inner. Spans of one job nest: each lies within one of the depth above, or
// within the job, and beside its siblings. For that, a time that lies before the one of an earlier
// event (another host's clock, a duration measured there) counts as that one. What has not ended
// does so at `now` and has the argument "open". Pure.
std::vector<Span> spans_of(const v1::Job& job, const std::vector<v1::JobEvent>& events,
                           int64_t now_unix_millis);

struct JobTrace {
  v1::Job job;
  std::vector<Span> spans;
};

// The Trace Event Format (JSON object form): a process for each job, times since the first begin.
std::string trace_json(const std::vector<JobTrace>& jobs);

}  // namespace prefixmem::client
