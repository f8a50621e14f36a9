// The events of several jobs as one feed, each job's in order and each exactly once.
//
// A stream that breaks (the coordinator is away, a deadline passed) is opened again after a
// back-off, from the event after the last one seen.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "client/channel/server.h"
#include "common/backoff.h"

namespace prefixmem::client {

struct FeedOptions {
  BackoffPolicy backoff;
  Millis patience{600000};       // how long the coordinator may be away
  Millis stream_limit{3600000};  // deadline of one stream
  const Clock* clock = &real_clock();
};

struct FeedItem {
  enum class Kind {
    kEvent,    // `event` has happened
    kAway,     // the first stream to fail of an outage: `status` says why; goes on by itself
    kTimeout,  // nothing until the deadline
    kDone,     // every job has sent its last event
    kFailed,   // `status`: a refusal, or the coordinator was away for longer than patience
  };
  Kind kind = Kind::kTimeout;
  v1::JobEvent event;
  Status status;
};

// One thread at a time. `server` must outlive it.
class EventFeed {
 public:
  EventFeed(Server& server, FeedOptions options);
  ~EventFeed();  // ends all streams
  EventFeed(const EventFeed&) = delete;
  EventFeed& operator=(const EventFeed&) = delete;

  // From the job's first event on.
  void add(const std::string& job_id);

  // Waits for the next thing until `deadline`. After kFailed there is nothing more, after kDone
  // what add() brings.
  FeedItem next(std::chrono::system_clock::time_point deadline);

 private:
  class Streams;
  std::unique_ptr<Streams> streams_;
};

}  // namespace prefixmem::client
