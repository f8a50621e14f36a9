// Clients that keep the queue at a length.
#pragma once

#include <grpcpp/channel.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/load/latencies.h"

namespace prefixmem::load {

class Submitters {
 public:
  // `started` tells how many jobs have left the queue for a worker.
  Submitters(int clients, const std::function<std::shared_ptr<grpc::Channel>()>& dial,
             std::function<int64_t()> started);
  ~Submitters();
  Submitters(const Submitters&) = delete;
  Submitters& operator=(const Submitters&) = delete;

  // From now on at least `jobs` wait; returns when they do.
  void fill_to(int64_t jobs);

  Latencies latency;  // of SubmitJob
  std::atomic<int64_t> refused = 0;

 private:
  void run(const std::shared_ptr<grpc::Channel>& channel, const std::stop_token& stop);
  bool is_short() const { return submitted_ - started_() < wanted_; }

  const std::function<int64_t()> started_;
  std::atomic<int64_t> wanted_ = 0, submitted_ = 0, named_ = 0;
  std::vector<std::jthread> clients_;
};

}  // namespace prefixmem::load
