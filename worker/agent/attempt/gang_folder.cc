#include "worker/agent/attempt/gang_folder.h"

#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <vector>

#include "common/files.h"
#include "common/log.h"
#include "worker/agent/attempt/attempt_folder.h"
#include "worker/agent/gang/process_table.h"

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMarkKey = "PREFIXMEM_GANG=";
constexpr const char* kRunPrefix = "pmt-";

fs::path gangs_folder(const fs::path& work_dir) { return fs::absolute(work_dir) / "gangs"; }

Result<fs::path> make_run_folder() {
  const fs::path memory = "/dev/shm";
  const fs::path base = access(memory.c_str(), W_OK) == 0 ? memory : fs::temp_directory_path();
  std::string pattern = (base / (std::string(kRunPrefix) + "XXXXXX")).string();
  if (mkdtemp(pattern.data()) == nullptr) return from_errno("creating " + pattern, errno);
  return fs::path(pattern);
}

// The link is ours, but what it names is checked all the same before it is removed.
Status remove_run_of(const fs::path& gang) {
  std::error_code error;
  const fs::path run = fs::read_symlink(gang / "run", error);
  if (error || !run.filename().string().starts_with(kRunPrefix)) return {};
  return remove_tree(run);
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (at->is_directory()) found.push_back(at->path());
  }
  return found;
}

}  // namespace

Result<GangFolder> GangFolder::create(const fs::path& work_dir, const AttemptKey& first) {
  const fs::path path =
      gangs_folder(work_dir) / (first.job_id + "-" + std::to_string(first.attempt));
  PM_TRY(remove_run_of(path));
  PM_TRY(remove_tree(path));
  PM_TRY(make_folders(path));
  PM_ASSIGN(fs::path run, make_run_folder());
  std::error_code error;
  fs::create_directory_symlink(run, path / "run", error);
  if (error) return from_errno("linking " + (path / "run").string(), error.value());
  return GangFolder(path, std::move(run));
}

std::string GangFolder::mark() const { return kMarkKey + path_.string(); }

Status GangFolder::remove() const {
  PM_TRY(remove_tree(run_));
  return remove_tree(path_);
}

Status clean_up_after_crash(const fs::path& work_dir) {
  const fs::path gangs = gangs_folder(work_dir);
  const int killed = kill_by_environment(kMarkKey + gangs.string() + "/");
  if (killed > 0) spdlog::warn("killed {} processes of a former life", killed);
  for (const fs::path& gang : folders_in(gangs)) {
    spdlog::info("removing {}, left by a former life", gang.string());
    PM_TRY(remove_run_of(gang));
    PM_TRY(remove_tree(gang));
  }
  for (const fs::path& job : folders_in(jobs_folder(work_dir))) {
    spdlog::info("removing {}, left by a former life", job.string());
    PM_TRY(remove_tree(job));
  }
  return {};
}

}  // namespace prefixmem::agent
