// Starts processes and collects the dead.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"
#include "worker/agent/gang/job_user.h"

namespace prefixmem::agent {

struct Command {
  std::vector<std::string> argv;         // argv[0]: absolute path of the program
  std::vector<std::string> environment;  // "KEY=value", on top of what may pass of this process's
  std::filesystem::path folder;          // to run in
  int output = -1;                       // descriptor for stdout and stderr; stays the caller's
};

// How a process ended: a code, or the signal that killed it.
struct ProcessExit {
  int code = 0;
  int signal = 0;
};

// Thread-safe.
class Launcher {
 public:
  virtual ~Launcher() = default;

  // The new process leads a session of its own, is who its orphaned descendants fall to, and dies
  // when the calling thread does, so the thread has to live until it has waited. NOT_FOUND or
  // another code where the program cannot be run.
  virtual Result<pid_t> start(const Command& command) = 0;
  // Waits for the end of a started process.
  virtual ProcessExit wait(pid_t pid) = 0;
  // Whether `start` made this process and `wait` has not yet returned.
  virtual bool started(pid_t pid) = 0;
};

// Real processes, which run as `user`; none: as this one. Makes this process the one that orphaned
// descendants fall to (a child subreaper), so that whoever walks /proc finds all of them below it.
Result<std::unique_ptr<Launcher>> make_launcher(std::optional<JobUser> user = std::nullopt);

// Whether a variable of this process's environment goes to those that it starts: those that
// programs, MPI, CUDA and numerical libraries are set up by. Others may hold secrets.
bool may_pass(std::string_view key);

// Path of a program: as it is where it holds a slash, otherwise by $PATH. NOT_FOUND,
// FAILED_PRECONDITION where it may not be executed.
Result<std::filesystem::path> find_program(const std::string& name);

}  // namespace prefixmem::agent
