#include "worker/agent/gang/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace prefixmem::agent {

Result<Child> Child::start(Launcher& launcher, Command command,
                           const std::filesystem::path& output_file) {
  PM_ASSIGN(OutputLog log, OutputLog::create(output_file));
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) return from_errno("opening a pipe", errno);
  Fd output(ends[0]);
  const Fd child_end(ends[1]);
  if (fcntl(output.get(), F_SETFL, O_NONBLOCK) != 0) return from_errno("setting a pipe", errno);
  command.output = child_end.get();
  PM_ASSIGN(const pid_t pid, launcher.start(command));
  Fd alive(static_cast<int>(syscall(SYS_pidfd_open, pid, 0U)));
  if (!alive.valid()) {
    const int error = errno;
    kill(pid, SIGKILL);
    launcher.wait(pid);
    return from_errno("watching " + command.argv[0], error);
  }
  return Child(pid, std::move(alive), std::move(output), std::move(log));
}

bool Child::ended() const {
  pollfd waiting{alive_.get(), POLLIN, 0};
  return poll(&waiting, 1, 0) > 0;
}

void Child::add_to(std::vector<pollfd>& polled) const {
  polled.push_back({alive_.get(), POLLIN, 0});
  polled.push_back({output_.get(), POLLIN, 0});
}

Status Child::read_output() {
  char block[1 << 16];
  while (output_.valid()) {
    const ssize_t count = read(output_.get(), block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return {};
    if (count <= 0) {
      output_.reset();
      return {};
    }
    PM_TRY(log_.add({block, static_cast<size_t>(count)}));
  }
  return {};
}

}  // namespace prefixmem::agent
