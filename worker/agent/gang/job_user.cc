#include "worker/agent/gang/job_user.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;

Status give_one(const fs::path& path, const JobUser& user) {
  if (lchown(path.c_str(), user.user, user.group) == 0) return {};
  return from_errno("giving " + path.string() + " to " + user.name, errno);
}

}  // namespace

Result<JobUser> find_job_user(const std::string& name) {
  if (geteuid() != 0) {
    return failed_precondition("--job-user is " + name +
                               "; allowed: where this program was started as root");
  }
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> texts{};
  const int error = getpwnam_r(name.c_str(), &entry, texts.data(), texts.size(), &found);
  if (error != 0) return from_errno("looking for the account " + name, error);
  if (found == nullptr) {
    return invalid_argument("--job-user is " + name + "; allowed: an account of this host");
  }
  return JobUser{name, entry.pw_dir, entry.pw_uid, entry.pw_gid};
}

Status give(const fs::path& path, const JobUser& user) {
  PM_TRY(give_one(path, user));
  std::error_code error;
  if (fs::symlink_status(path, error).type() != fs::file_type::directory) return {};
  fs::recursive_directory_iterator at(path, error);
  for (const fs::recursive_directory_iterator end; !error && at != end; at.increment(error)) {
    PM_TRY(give_one(at->path(), user));
  }
  return error ? from_errno("listing " + path.string(), error.value()) : Status();
}

Status check_reach(const fs::path& path, const JobUser& user) {
  const pid_t pid = fork();
  if (pid < 0) return from_errno("starting a process", errno);
  if (pid == 0) {
    if (!become(user)) _exit(errno);
    _exit(access(path.c_str(), R_OK | X_OK) == 0 ? 0 : errno);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  const int error = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
  return failed_precondition("--job-user " + user.name + " may not read " + path.string() + " (" +
                             std::generic_category().message(error) +
                             "); allowed: an account that may enter every folder on the way to it");
}

bool become(const JobUser& user) {
  return setgroups(0, nullptr) == 0 && setgid(user.group) == 0 && setuid(user.user) == 0;
}

}  // namespace prefixmem::agent
