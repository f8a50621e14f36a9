#include "worker/agent/attempt/attempt_folder.h"

#include <system_error>

#include "common/files.h"

namespace prefixmem::agent {

namespace fs = std::filesystem;

fs::path jobs_folder(const fs::path& work_dir) { return fs::absolute(work_dir) / "jobs"; }

Result<AttemptFolder> AttemptFolder::create(const fs::path& work_dir, const AttemptKey& key) {
  const fs::path path = jobs_folder(work_dir) / key.job_id / std::to_string(key.attempt);
  PM_TRY(remove_tree(path));
  PM_TRY(make_folders(path / "out" / "checkpoints"));
  return AttemptFolder(path);
}

Status AttemptFolder::remove() const {
  PM_TRY(remove_tree(path_));
  std::error_code others_are_there;
  fs::remove(path_.parent_path(), others_are_there);
  return {};
}

}  // namespace prefixmem::agent
