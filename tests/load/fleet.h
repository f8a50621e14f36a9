// Workers as the coordinator sees them: real streams, trainers that only tell of steps.
#pragma once

#include <grpcpp/channel.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/load/latencies.h"

namespace prefixmem::load {

class SimulatedWorker;

struct FleetOptions {
  int workers = 0;               // of one slot each
  double events_per_second = 0;  // of all of them together
  int steps = 0;                 // of a job, about: workers end theirs one after the other
};

// What the workers have seen; outlives the fleet.
struct FleetRecord {
  // From the end of a worker's job, as the worker tells it, until its next one comes.
  Latencies dispatch;
  std::atomic<int64_t> registered = 0, assigned = 0, events = 0, broken_streams = 0;
  std::function<void(const std::string& job_id)> on_assigned;
  // Otherwise they take further steps.
  std::atomic<bool> jobs_end = false;
};

class Fleet {
 public:
  // `dial` makes a connection of its own for each worker.
  Fleet(const FleetOptions& options, const std::function<std::shared_ptr<grpc::Channel>()>& dial,
        FleetRecord& record);
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

 private:
  std::vector<std::unique_ptr<SimulatedWorker>> workers_;
  std::jthread pacer_;
};

}  // namespace prefixmem::load
