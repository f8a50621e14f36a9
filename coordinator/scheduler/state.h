// What the scheduler sees and is told to respect: plain values, copied out of the coordinator's
// state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/spec/job_spec.h"
#include "common/status.h"

namespace prefixmem::scheduler {

// From the request to leave to the kill: time for a checkpoint.
inline constexpr Millis kLeaveGrace{30000};

struct Config {
  Millis lease{15000};  // a worker silent for longer is lost
  int max_retries = 3;  // of a job, after losses; its first attempt is none, nor one after a drain
  int bank_limit = 1;   // jobs that one gang is started with, at most
  Millis grow_after{60000};  // a worker is to be settled so long before a gang grows there
};

// What ranks of a job need of memory, in bytes; 0: it is not known. Jobs of one gang share
// `shared`, `base` and `gpu_base`.
struct Memory {
  int64_t shared = 0;    // of a host, once for all its ranks there
  int64_t base = 0;      // of a host, each rank
  int64_t gpu_base = 0;  // of its GPU, each rank
  int64_t own = 0;       // each rank, wherever it computes: what each further job of a gang adds

  auto operator<=>(const Memory&) const = default;
};

struct Worker {
  std::string id;
  int slots = 0;  // ranks it can run at once
  Device device = Device::kCpu;
  bool lost = false;
  bool connected = false;       // its stream is open
  bool draining = false;        // it shuts down and takes nothing more
  bool cordoned = false;        // an operator wants nothing more placed on it
  bool unhealthy = false;       // it says itself that it should be given nothing more for now
  MonotonicTime last_heard{};   // the newest message
  MonotonicTime settled{};      // since when nothing has started or ended there
  std::string make = {};        // its devices' models
  std::string allocation = {};  // of a batch system, "slurm:1234"; empty: none
  std::string host = {};        // workers of one name are near to each other; empty: none is
  // Bytes for jobs, of which each slot has an equal share, and of a GPU for a rank; 0: not known,
  // and never too little.
  int64_t memory = 0;
  int64_t gpu_memory = 0;
};

// How long a job may hold slots.
struct TimeLimit {
  std::string text = {};  // as its spec has it, "2h"; empty: none
  Millis left{0};         // once its ended attempts are taken off; at most 0: none is left

  bool operator==(const TimeLimit&) const = default;
};

// Who shares the slots with others.
struct Tenant {
  std::string name;
  int weight = 1;  // of two that both want more, each holds slots in proportion to it
  std::optional<int> slots = {};  // that its gangs may hold together; none: any number
  double recent_slots = 0;        // that they have held of late, on average
  int64_t stored_bytes = 0;       // of files of its jobs and content that it has sent
  std::optional<int64_t> most_stored_bytes = {};  // at which no more of its jobs start; none: any
};

struct Job {
  std::string id;
  std::string tenant = {};
  int64_t priority = 0;
  int64_t order = 0;  // of submission
  int ranks = 1;      // wanted; of an attempt, those that it has
  // It also runs on fewer, from `least` to `most`, which is then what a job that waits wants. 0:
  // on as many as `ranks` alone.
  int least = 0, most = 0;
  // It moves, to grow, only to workers of that make, and with as many slots, for the sake of its
  // bits.
  bool same_make = false, same_slots = false;
  Device device = Device::kAuto;
  int retries = 0;  // so far
  // Jobs with the same one may train in one gang, as a bank: equal in ranks, device and priority.
  // Empty: it has a gang of its own.
  std::string bank = {};
  bool resumes = false;    // it has been placed before
  std::string avoid = {};  // the worker whose disk was full for it the last time; empty: none
  int bank_limit = 0;      // jobs of a gang that it may be in, at most; 0: as many as any
  // When its turn first came, counted up: it started, or has kept workers since. Of its priority it
  // stays before those whose turn comes later, whatever the shares. 0: it has not come.
  int64_t turn = 0;
  TimeLimit time = {};
  Memory memory = {};

  bool is_elastic() const { return least > 0 && least < most; }
  bool operator==(const Job&) const = default;
};

// Slots of one worker.
struct Seat {
  std::string worker_id;
  int ranks = 0;
};

// A placed attempt. Those of one gang hold the slots of `job.ranks` ranks together (memory.h),
// until the last of them has ended.
struct Attempt {
  Job job;
  int attempt = 0;
  std::string worker_id;
  std::string gang;
  int slots = 0;  // of its gang on that one worker, as it started; 0: not noted
  std::vector<Seat> seats =
      {};  // of a gang on several workers, `worker_id` first; empty: on that one
  // What its end counts as unless it has finished, where it was asked to stop; OK: it was not.
  // CANCELLED: its owner's wish; UNAVAILABLE: the job is to go on elsewhere; RESOURCE_EXHAUSTED:
  // its time limit.
  Status stop = {};
  MonotonicTime began{};
  // When its slots are free at the latest, where its job has a time limit.
  std::optional<MonotonicTime> end_by = {};
};

struct State {
  std::vector<Worker> workers = {};
  std::vector<Tenant> tenants = {};  // one that is not here has weight 1 and no quota
  std::vector<Job> queue = {};       // in any order
  std::vector<Attempt> attempts = {};
  // Until then no worker counts as lost: the coordinator has just started and they are dialling, or
  // it stood still and could hear nobody.
  MonotonicTime grace_end{};
};

}  // namespace prefixmem::scheduler
