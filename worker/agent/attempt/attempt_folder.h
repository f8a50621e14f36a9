// The folder of one attempt: <work_dir>/jobs/<job_id>/<attempt>/
//
//   spec.yaml   what the trainer reads
//   out/        what it writes: metrics.jsonl, checkpoints/, adapter/, result.json
//   stderr.log  what it says
//   spool       its events that are not acknowledged
//   run         link to a short-lived folder with a short name and fast files: the events' socket
//               (whose path may have 107 bytes) and Open MPI's session and shared memory
#pragma once

#include <filesystem>
#include <string>

#include "common/status.h"
#include "worker/agent/attempt/assignment.h"

namespace prefixmem::agent {

inline constexpr const char* kMetricsFile = "metrics.jsonl";

// A handle: removes nothing by itself.
class AttemptFolder {
 public:
  // Made anew: what an earlier life of the agent left there is removed.
  static Result<AttemptFolder> create(const std::filesystem::path& work_dir, const AttemptKey& key);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path spec() const { return path_ / "spec.yaml"; }
  std::filesystem::path out() const { return path_ / "out"; }
  std::filesystem::path output_file() const { return path_ / "stderr.log"; }
  std::filesystem::path spool() const { return path_ / "spool"; }
  const std::filesystem::path& run() const { return run_; }
  std::filesystem::path socket() const { return run_ / "events.sock"; }
  // Environment entry that only this attempt's processes carry.
  std::string mark() const;

  Status remove_run() const;
  // All of it, and the job's folder where this was its last attempt.
  Status remove() const;

 private:
  AttemptFolder(std::filesystem::path path, std::filesystem::path run)
      : path_(std::move(path)), run_(std::move(run)) {}
  std::filesystem::path path_, run_;
};

// Removes every attempt's folder of an agent that has crashed and kills what is left of its gangs.
// The caller holds the work folder's lock.
Status clean_up_after_crash(const std::filesystem::path& work_dir);

}  // namespace prefixmem::agent
