// SIGTERM, SIGINT and SIGUSR1 (which mpirun passes on without a time limit of its own) ask the gang
// to stop at the next step boundary.
#pragma once

namespace prefixmem::trainer {

// Installs the handlers, once a process.
void install_stop_signals();
bool stop_requested();
// Asks from inside the process; for tests and fault injection.
void request_stop(bool stop = true);

// Asks the kernel to kill this process when its parent goes: no rank outlives its mpirun.
void die_with_parent();

}  // namespace prefixmem::trainer
