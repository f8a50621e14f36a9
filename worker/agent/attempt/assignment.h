// What a coordinator asks for, in the agent's own words.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

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
  std::string state_digest = {};  // ArtifactEvent's; only told with an upload
};

// What one attempt is to do.
struct Assignment {
  AttemptKey key;
  std::string job_name;
  std::string spec_yaml;
  std::optional<Artifact> resume_from;     // checkpoint
  std::optional<Artifact> resume_before;   // the one before it, for where that one is damaged
  std::optional<Artifact> resume_metrics;  // metrics.jsonl of the steps before, and maybe of more
};

// A worker that ranks of a gang are on.
struct GangHost {
  std::string worker;  // its id
  std::string name;    // of the host, for what people read
  int ranks = 0;
  int64_t memory = 0;  // bytes that these may take; 0: as many as are free
};

// One mpirun and the attempts that train in it. They are a bank where there are several, or where
// the gang has a name, by which later assignments join it.
struct GangAssignment {
  std::string gang = {};
  int ranks = 0;  // on all hosts
  std::vector<Assignment> attempts;
  // Of a gang that one worker has no room for, which has one attempt: the first is the head, which
  // runs mpirun and speaks for the gang, the others are members. Empty: all ranks are here.
  std::vector<GangHost> hosts = {};
  size_t self = 0;     // of them this worker
  int64_t memory = 0;  // of the only host, as GangHost's

  bool is_member() const { return self > 0; }
  int ranks_here() const { return hosts.empty() ? ranks : here().ranks; }
  int64_t memory_here() const { return hosts.empty() ? memory : here().memory; }
  // Where there are hosts.
  const GangHost& here() const { return hosts[self]; }
  const GangHost& head() const { return hosts.front(); }
};

// INVALID_ARGUMENT where an id or path would lead out of the job's folder.
Status check(const Assignment& assignment);

}  // namespace prefixmem::agent
