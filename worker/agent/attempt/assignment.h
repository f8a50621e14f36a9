// What a coordinator asks for, in the agent's own words.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "common/status.h"

namespace prefixmem::agent {

// One try at a job.
struct AttemptKey {
  std::string job_id;
  int attempt = 0;

  auto operator<=>(const AttemptKey&) const = default;
  std::string text() const { return job_id + "/" + std::to_string(attempt); }
};

// A file of a job in the coordinator's store.
struct Artifact {
  std::string path;  // inside the job's output
  std::string kind;  // checkpoint | adapter | result | metrics
  int64_t step = 0;
  int64_t bytes = 0;
  std::string sha256;
};

struct Assignment {
  AttemptKey key;
  std::string job_name;
  std::string spec_yaml;
  int ranks = 0;
  std::optional<Artifact> resume_from;     // checkpoint
  std::optional<Artifact> resume_metrics;  // metrics.jsonl of the steps before, and maybe of more
};

// INVALID_ARGUMENT where an id or path would lead out of the job's folder or ranks is below 1.
Status check(const Assignment& assignment);

}  // namespace prefixmem::agent
