// Streams of job events, each followed to its end while another takes its place.
#pragma once

#include <grpcpp/channel.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "prefixmem/v1/job_service.grpc.pb.h"
#include "tests/load/latencies.h"

namespace prefixmem::load {

class Watcher;

// Thread-safe.
class Watchers {
 public:
  // At most `most` streams at once, of which the first `stuck`, over a channel of their own, stop
  // reading after one event.
  Watchers(const std::shared_ptr<grpc::Channel>& channel, int most,
           const std::shared_ptr<grpc::Channel>& stuck_channel, int stuck);
  ~Watchers();
  Watchers(const Watchers&) = delete;
  Watchers& operator=(const Watchers&) = delete;

  // Where fewer than `most` are open.
  void watch(const std::string& job_id);

  // From an event's time, as the worker tells it, until it is read here; to the millisecond.
  Latencies delay;
  std::atomic<int64_t> events = 0, gaps = 0, followed_to_end = 0, broken_streams = 0;

 private:
  friend class Watcher;
  void closed(Watcher& watcher);

  const std::unique_ptr<v1::JobService::Stub> stub_, stuck_stub_;
  const size_t most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int stuck_;
  bool stopping_ = false;
  std::set<Watcher*> open_;
};

}  // namespace prefixmem::load
