// A started process and what it writes.
#pragma once

#include <poll.h>

#include <filesystem>
#include <vector>

#include "common/fd.h"
#include "common/status.h"
#include "worker/agent/gang/launcher.h"
#include "worker/agent/gang/output_log.h"

namespace prefixmem::agent {

// Not thread-safe; for the thread that has started it, which waits for it by the launcher.
class Child {
 public:
  // Its stdout and stderr go to `output_file`.
  static Result<Child> start(Launcher& launcher, Command command,
                             const std::filesystem::path& output_file);

  pid_t pid() const { return pid_; }
  bool ended() const;
  // Adds what has to be polled: its end first, then its output.
  void add_to(std::vector<pollfd>& polled) const;
  // Reads until there is nothing more now.
  Status read_output();
  // Whether somebody may still write.
  bool output_is_open() const { return output_.valid(); }
  OutputLog& log() { return log_; }

 private:
  Child(pid_t pid, Fd alive, Fd output, OutputLog log)
      : pid_(pid), alive_(std::move(alive)), output_(std::move(output)), log_(std::move(log)) {}

  pid_t pid_;
  Fd alive_;   // a pidfd
  Fd output_;  // until its end
  OutputLog log_;
};

}  // namespace prefixmem::agent
