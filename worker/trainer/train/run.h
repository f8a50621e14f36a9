// One rank of a gang from start to exit code.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "worker/trainer/train/bank_file.h"

namespace prefixmem::trainer {

struct RunOptions {
  TrialFiles job;               // where there is no bank
  std::filesystem::path bank;   // file of the trials (bank_file.h); empty: none
  std::filesystem::path cache;  // of encoded rows; empty: none
  std::string events;           // Unix socket of the agent; empty: run by hand
  int64_t memory = 0;           // bytes for all ranks on this host; 0: as many as are free
};

// Runs the job or the bank and returns the process's exit code. Of a job 0, or exit_code() of its
// failure; of a bank 0 once every trial has ended, well or not; exit_code() of what took the gang
// down. A failure has been written to stderr and sent as a FailureEvent. Throws nothing.
int run_trainer(const RunOptions& options);

}  // namespace prefixmem::trainer
