#include "worker/agent/gang/launcher.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <set>
#include <sstream>
#include <utility>

#include "common/fd.h"
#include "common/thread_annotations.h"

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  out.reserve(words.size() + 1);
  for (const std::string& word : words) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> environment_with(std::vector<std::string> additions,
                                          const std::optional<JobUser>& user) {
  if (user) {
    for (const auto& [key, value] : {std::pair("HOME=", user->home), std::pair("USER=", user->name),
                                     std::pair("LOGNAME=", user->name)}) {
      additions.push_back(key + value);
    }
  }
  std::vector<std::string> all = additions;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view own = *entry;
    const std::string key(own.substr(0, own.find('=') + 1));
    bool replaced = false;
    for (const std::string& addition : additions) replaced |= addition.starts_with(key);
    if (!replaced && may_pass(own.substr(0, own.find('=')))) all.emplace_back(own);
  }
  return all;
}

// Everything that the child needs, made before the fork: afterwards it may only call what is safe
// in a signal handler.
struct Prepared {
  std::vector<char*> argv, environment;
  const char* folder;
  int input, output, report;
  pid_t parent;
  const JobUser* user;  // null: this process's
};

[[noreturn]] void give_up(int report) {
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(report, &error, sizeof error);
  _exit(127);
}

[[noreturn]] void turn_into(const Prepared& prepared) {
  // Becoming somebody else takes the signal of the parent's death back, so it is asked for after.
  if (prepared.user != nullptr && !become(*prepared.user)) give_up(prepared.report);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (getppid() != prepared.parent) _exit(127);
  setsid();
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  if (dup2(prepared.input, 0) < 0 || dup2(prepared.output, 1) < 0 || dup2(prepared.output, 2) < 0 ||
      chdir(prepared.folder) != 0) {
    give_up(prepared.report);
  }
  syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  execve(prepared.argv[0], prepared.argv.data(), prepared.environment.data());
  give_up(prepared.report);
}

int read_report(int fd) {
  int error = 0;
  ssize_t count = 0;
  do {
    count = read(fd, &error, sizeof error);
  } while (count < 0 && errno == EINTR);
  return count == sizeof error ? error : 0;
}

// Until it is dead; its pid stays taken.
void wait_for_end(pid_t pid) {
  siginfo_t ignored;
  while (waitid(P_PID, static_cast<id_t>(pid), &ignored, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
}

ProcessExit collect(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  ProcessExit exit;
  if (WIFSIGNALED(status)) {
    exit.signal = WTERMSIG(status);
  } else {
    exit.code = WEXITSTATUS(status);
  }
  return exit;
}

class ProcessLauncher final : public Launcher {
 public:
  explicit ProcessLauncher(std::optional<JobUser> user) : user_(std::move(user)) {}

  Result<pid_t> start(const Command& command) override {
    const Fd input(open("/dev/null", O_RDONLY | O_CLOEXEC));
    int ends[2] = {-1, -1};
    if (!input.valid() || pipe2(ends, O_CLOEXEC) != 0) return from_errno("opening a pipe", errno);
    const Fd report(ends[0]);
    Fd child_report(ends[1]);
    const auto environment = environment_with(command.environment, user_);
    const Prepared prepared{pointers(command.argv),
                            pointers(environment),
                            command.folder.c_str(),
                            input.get(),
                            command.output,
                            child_report.get(),
                            getpid(),
                            user_ ? &*user_ : nullptr};
    PM_ASSIGN(const pid_t pid, fork_child(prepared));
    child_report.reset();
    if (const int error = read_report(report.get()); error != 0) {
      wait(pid);
      return from_errno("starting " + command.argv[0], error);
    }
    return pid;
  }

  ProcessExit wait(pid_t pid) override {
    wait_for_end(pid);
    const MutexLock lock(mutex_);  // a new process may get the pid
    started_.erase(pid);
    return collect(pid);
  }

  bool started(pid_t pid) override {
    const MutexLock lock(mutex_);
    return started_.contains(pid);
  }

 private:
  // Under the lock, so that nobody sees a child that is not yet known as started.
  Result<pid_t> fork_child(const Prepared& prepared) {
    const MutexLock lock(mutex_);
    const pid_t pid = fork();
    if (pid < 0) return from_errno("starting a process", errno);
    if (pid == 0) turn_into(prepared);
    started_.insert(pid);
    return pid;
  }

  const std::optional<JobUser> user_;
  Mutex mutex_;
  std::set<pid_t> started_ PM_GUARDED_BY(mutex_);
};

}  // namespace

Result<std::unique_ptr<Launcher>> make_launcher(std::optional<JobUser> user) {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return from_errno("becoming a subreaper", errno);
  return std::unique_ptr<Launcher>(std::make_unique<ProcessLauncher>(std::move(user)));
}

bool may_pass(std::string_view key) {
  constexpr std::array kKeys = {
      "HOME", "LANG", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "TERM", "TMPDIR", "TZ", "USER"};
  constexpr std::array kFamilies = {"ASAN_",   "CUBLAS_", "CUDA_",   "GOMP_", "KMP_",
                                    "LC_",     "LSAN_",   "MALLOC_", "MKL_",  "NCCL_",
                                    "NVIDIA_", "OMPI_",   "OMP_",    "PMIX_", "PYTORCH_",
                                    "TORCH_",  "TSAN_",   "UBSAN_",  "UCX_"};
  return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end() ||
         std::any_of(kFamilies.begin(), kFamilies.end(),
                     [&](std::string_view family) { return key.starts_with(family); });
}

Result<fs::path> find_program(const std::string& name) {
  std::vector<fs::path> candidates;
  if (name.find('/') != std::string::npos) {
    candidates.push_back(fs::absolute(name));
  } else if (const char* path = std::getenv("PATH")) {
    std::istringstream folders(path);
    for (std::string folder; std::getline(folders, folder, ':');) {
      candidates.push_back(fs::path(folder) / name);
    }
  }
  for (const fs::path& candidate : candidates) {
    std::error_code ignored;
    if (!fs::is_regular_file(candidate, ignored)) continue;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
    return failed_precondition(candidate.string() + " may not be executed");
  }
  return not_found("program " + name + " is not there");
}

}  // namespace prefixmem::agent
