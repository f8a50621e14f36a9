#include "worker/agent/attempt/attempt_folder.h"

#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <vector>

#include "common/files.h"
#include "common/log.h"
#include "worker/agent/gang/process_table.h"

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMarkKey = "PREFIXMEM_GANG=";
constexpr const char* kRunPrefix = "pmt-";

Status remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  return error ? from_errno("removing " + path.string(), error.value()) : Status();
}

fs::path jobs_folder(const fs::path& work_dir) { return fs::absolute(work_dir) / "jobs"; }

Result<fs::path> make_run_folder() {
  const fs::path memory = "/dev/shm";
  const fs::path base = access(memory.c_str(), W_OK) == 0 ? memory : fs::temp_directory_path();
  std::string pattern = (base / (std::string(kRunPrefix) + "XXXXXX")).string();
  if (mkdtemp(pattern.data()) == nullptr) return from_errno("creating " + pattern, errno);
  return fs::path(pattern);
}

// The link is ours, but what it names is checked all the same before it is removed.
Status remove_run_of(const fs::path& attempt) {
  std::error_code error;
  const fs::path run = fs::read_symlink(attempt / "run", error);
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

Result<AttemptFolder> AttemptFolder::create(const fs::path& work_dir, const AttemptKey& key) {
  const fs::path path = jobs_folder(work_dir) / key.job_id / std::to_string(key.attempt);
  PM_TRY(remove_run_of(path));
  PM_TRY(remove_tree(path));
  PM_TRY(make_folders(path / "out" / "checkpoints"));
  PM_ASSIGN(fs::path run, make_run_folder());
  std::error_code error;
  fs::create_directory_symlink(run, path / "run", error);
  if (error) return from_errno("linking " + (path / "run").string(), error.value());
  return AttemptFolder(path, std::move(run));
}

std::string AttemptFolder::mark() const { return kMarkKey + path_.string(); }

Status AttemptFolder::remove_run() const { return remove_tree(run_); }

Status AttemptFolder::remove() const {
  PM_TRY(remove_run());
  PM_TRY(remove_tree(path_));
  std::error_code others_are_there;
  fs::remove(path_.parent_path(), others_are_there);
  return {};
}

Status clean_up_after_crash(const fs::path& work_dir) {
  const fs::path jobs = jobs_folder(work_dir);
  const int killed = kill_by_environment(kMarkKey + jobs.string() + "/");
  if (killed > 0) spdlog::warn("killed {} processes of a former life", killed);
  for (const fs::path& job : folders_in(jobs)) {
    for (const fs::path& attempt : folders_in(job)) {
      PM_TRY(remove_run_of(attempt));
      spdlog::info("removing {}, left by a former life", attempt.string());
    }
    PM_TRY(remove_tree(job));
  }
  return {};
}

}  // namespace prefixmem::agent
