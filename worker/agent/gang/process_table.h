// The processes of this host, from /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string_view>
#include <vector>

namespace prefixmem::agent {

struct Process {
  pid_t pid = 0;
  pid_t parent = 0;
  char state = '?';         // R, S, D, Z (dead, not yet waited for), …
  uint64_t start_time = 0;  // with the pid: which process this is
  int64_t resident_bytes = 0;

  bool dead() const { return state == 'Z' || state == 'X'; }
  bool stopped() const { return state == 'T'; }  // by a signal
};

// Those that vanish meanwhile are left out.
std::vector<Process> list_processes();

// proc(5)'s letter for what a process does; '?' where there is none such.
char process_state(pid_t pid);

// Whether a process was started with an environment entry that begins with `entry`. False where its
// environment may not be read or it is dead.
bool has_environment(pid_t pid, std::string_view entry);

// Sends SIGKILL to every process whose environment has an entry that begins with `entry`; how many.
int kill_by_environment(std::string_view entry);

}  // namespace prefixmem::agent
