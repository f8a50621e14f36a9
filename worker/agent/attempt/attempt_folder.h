// The folder of one attempt: <work_dir>/jobs/<job_id>/<attempt>/
//
//   spec.yaml       what the trainer reads
//   portable.yaml   the same as it was submitted, without paths of this host
//   out/            what it writes: metrics.jsonl, checkpoints/, adapter/, result.json
//   spool           its events that are not acknowledged
#pragma once

#include <filesystem>

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
  std::filesystem::path portable() const { return path_ / "portable.yaml"; }
  std::filesystem::path out() const { return path_ / "out"; }
  std::filesystem::path spool() const { return path_ / "spool"; }

  // All of it, and the job's folder where this was its last attempt.
  Status remove() const;

 private:
  explicit AttemptFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

// Where the attempts' folders are.
std::filesystem::path jobs_folder(const std::filesystem::path& work_dir);

}  // namespace prefixmem::agent
