#include "worker/trainer/train/stop_signal.h"

#include <sys/prctl.h>

#include <csignal>

namespace prefixmem::trainer {
namespace {

volatile std::sig_atomic_t stop_flag = 0;

void on_signal(int) { stop_flag = 1; }

}  // namespace

void install_stop_signals() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGUSR1, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

bool stop_requested() { return stop_flag != 0; }
void request_stop(bool stop) { stop_flag = stop ? 1 : 0; }

void die_with_parent() { prctl(PR_SET_PDEATHSIG, SIGKILL); }

}  // namespace prefixmem::trainer
