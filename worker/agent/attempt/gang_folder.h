// The folder of one gang: <work_dir>/gangs/<job_id>-<attempt>/ by its first attempt
//
//   bank.json   its trials, where it is a bank
//   stderr.log  what it says
//   run         link to a short-lived folder with a short name and fast files: the events' socket
//               (whose path may have 107 bytes) and Open MPI's session and shared memory
#pragma once

#include <filesystem>
#include <string>

#include "common/status.h"
#include "worker/agent/attempt/assignment.h"

namespace prefixmem::agent {

// A handle: removes nothing by itself.
class GangFolder {
 public:
  // Made anew: what an earlier life of the agent left there is removed.
  static Result<GangFolder> create(const std::filesystem::path& work_dir, const AttemptKey& first);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path bank() const { return path_ / "bank.json"; }
  std::filesystem::path output_file() const { return path_ / "stderr.log"; }
  const std::filesystem::path& run() const { return run_; }
  std::filesystem::path socket() const { return run_ / "events.sock"; }
  // Of a gang over several hosts: where mpirun's remote shell asks, and links to that and to the
  // trainer.
  std::filesystem::path requests() const { return run_ / "hosts.sock"; }
  std::filesystem::path rsh() const { return run_ / "pmt-rsh"; }
  std::filesystem::path trainer() const { return run_ / "pmt-trainer"; }
  // Environment entry that only this gang's processes carry.
  std::string mark() const;

  Status remove() const;

 private:
  GangFolder(std::filesystem::path path, std::filesystem::path run)
      : path_(std::move(path)), run_(std::move(run)) {}
  std::filesystem::path path_, run_;
};

// Removes every gang's and attempt's folder of an agent that has crashed and kills what is left of
// its gangs. The caller holds the work folder's lock.
Status clean_up_after_crash(const std::filesystem::path& work_dir);

}  // namespace prefixmem::agent
