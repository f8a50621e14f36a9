// What the scheduler sees and is told to respect: plain values, copied out of the coordinator's
// state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/spec/job_spec.h"

namespace prefixmem::scheduler {

struct Config {
  Millis lease{15000};  // a worker silent for longer is lost
  int max_retries = 3;  // of a job, after losses; its first attempt is none, nor one after a drain
};

struct Worker {
  std::string id;
  int slots = 0;  // ranks it can run at once
  Device device = Device::kCpu;
  bool lost = false;
  bool connected = false;      // its stream is open
  bool draining = false;       // it shuts down and takes nothing more
  MonotonicTime last_heard{};  // the newest message
};

struct Job {
  std::string id;
  int64_t priority = 0;
  int64_t order = 0;  // of submission
  int ranks = 1;
  Device device = Device::kAuto;
  int retries = 0;  // so far
};

// A placed attempt: it holds `job.ranks` slots of its worker until it has ended.
struct Gang {
  Job job;
  int attempt = 0;
  std::string worker_id;
  std::string cancel_reason;  // empty: nobody asked it to stop
};

struct State {
  std::vector<Worker> workers = {};
  std::vector<Job> queue = {};  // in any order
  std::vector<Gang> gangs = {};
  // Until then no worker counts as lost: the coordinator has just started and they are dialling, or
  // it stood still and could hear nobody.
  MonotonicTime grace_end{};
};

}  // namespace prefixmem::scheduler
