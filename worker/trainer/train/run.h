// One rank of a job from start to exit code.
#pragma once

#include "worker/trainer/train/session.h"

namespace prefixmem::trainer {

// Runs the job and returns the process's exit code: 0, or exit_code() of the failure, which has
// been written to stderr and sent as a FailureEvent. Throws nothing.
int run_trainer(const RunOptions& options);

}  // namespace prefixmem::trainer
