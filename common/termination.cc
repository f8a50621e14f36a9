#include "common/termination.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include <cerrno>

namespace prefixmem {

Result<Termination> Termination::watch() {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  signal(SIGPIPE, SIG_IGN);
  Fd signals(signalfd(-1, &ends, SFD_CLOEXEC));
  if (!signals.valid()) return from_errno("waiting for signals", errno);
  return Termination(std::move(signals));
}

bool Termination::wait(int ended) const {
  pollfd waiting[] = {{signals_.get(), POLLIN, 0}, {ended, POLLIN, 0}};
  while (poll(waiting, 2, -1) < 0 && errno == EINTR) {
  }
  return waiting[0].revents != 0;
}

}  // namespace prefixmem
