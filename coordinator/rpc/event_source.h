// The events of a job, out of the store, for a stream.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "coordinator/rpc/pull_stream.h"
#include "coordinator/store/reader.h"

namespace prefixmem::rpc {

// Reads page by page from a number on.
class EventPages {
 public:
  // At most a page of events of the job from a number on, in order.
  using Read = std::function<Result<std::vector<v1::JobEvent>>(int64_t from_number)>;

  struct Options {
    int64_t from_number = 1;
    bool follow = true;  // false: end with what is there now
    // Where set, the service is ending and so do its streams.
    const std::atomic<bool>* closing = nullptr;
  };

  EventPages(store::Reader& reader, std::string job_id, Read read, const Options& options)
      : reader_(reader),
        job_id_(std::move(job_id)),
        read_(std::move(read)),
        options_(options),
        next_(options.from_number) {}

  Result<Pulled<v1::JobEvent>> pull();

 private:
  Status fill();
  Result<bool> job_has_ended();

  store::Reader& reader_;
  const std::string job_id_;
  const Read read_;
  const Options options_;
  int64_t next_;
  std::deque<v1::JobEvent> page_;
};

class WatchSource final : public Source<v1::JobEvent> {
 public:
  WatchSource(store::Reader& reader, const std::string& job_id, const EventPages::Options& options);
  Result<Pulled<v1::JobEvent>> pull() override { return pages_.pull(); }

 private:
  EventPages pages_;
};

class LogSource final : public Source<v1::LogLine> {
 public:
  LogSource(store::Reader& reader, const std::string& job_id, const EventPages::Options& options);
  Result<Pulled<v1::LogLine>> pull() override;

 private:
  EventPages pages_;
};

}  // namespace prefixmem::rpc
