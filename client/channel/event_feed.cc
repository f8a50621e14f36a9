#include "client/channel/event_feed.h"

#include <grpcpp/alarm.h>

#include <deque>
#include <optional>

#include "client/channel/connection.h"
#include "client/render/job_text.h"
#include "common/id.h"

namespace prefixmem::client {
namespace {

// A stream that was opened again may have nothing to say, so an event is not the only sign that the
// coordinator is back; longer than any back-off and dialling take together.
constexpr Millis kQuietEndsOutage{60000};

// One job's stream. Exactly one operation is under way until it is closed; its tag is the object.
struct Stream {
  enum class Step { kOpening, kReading, kFinishing, kWaiting, kClosed };

  std::string job;
  Step step = Step::kClosed;
  int64_t next_number = 1;
  bool ended = false;  // its last event has come
  int failures = 0;    // in a row
  v1::JobEvent event;
  grpc::Status status;
  grpc::Alarm alarm;
  std::unique_ptr<grpc::ClientContext> context;
  std::unique_ptr<grpc::ClientAsyncReader<v1::JobEvent>> reader;  // lies in the context's memory
};

}  // namespace

class EventFeed::Streams {
 public:
  Streams(Server& server, FeedOptions options) : server_(server), options_(options) {}

  void add(const std::string& job_id) {
    streams_.emplace_back().job = job_id;
    open(streams_.back());
  }

  ~Streams() {
    for (Stream& stream : streams_) {
      if (stream.context) stream.context->TryCancel();
      stream.alarm.Cancel();
    }
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) continue;
  }

  FeedItem next(std::chrono::system_clock::time_point deadline) {
    while (open_ > 0) {
      void* tag = nullptr;
      bool ok = false;
      const auto outcome = queue_.AsyncNext(&tag, &ok, deadline);
      if (outcome != grpc::CompletionQueue::GOT_EVENT) return {};
      if (auto item = advance(*static_cast<Stream*>(tag), ok)) return *std::move(item);
    }
    return item(FeedItem::Kind::kDone, {});
  }

 private:
  static FeedItem item(FeedItem::Kind kind, Status status) {
    FeedItem item;
    item.kind = kind;
    item.status = std::move(status);
    return item;
  }

  void open(Stream& stream) {
    if (stream.step == Stream::Step::kClosed) ++open_;
    v1::WatchJobRequest request;
    request.set_job(stream.job);
    request.set_from_number(stream.next_number);
    stream.reader.reset();
    stream.context = std::make_unique<grpc::ClientContext>();
    set_deadline(*stream.context, options_.stream_limit);
    stream.reader =
        server_.connection().stub->PrepareAsyncWatchJob(stream.context.get(), request, &queue_);
    stream.step = Stream::Step::kOpening;
    stream.reader->StartCall(&stream);
  }

  void read(Stream& stream) {
    stream.step = Stream::Step::kReading;
    stream.reader->Read(&stream.event, &stream);
  }

  void finish(Stream& stream) {
    stream.step = Stream::Step::kFinishing;
    stream.reader->Finish(&stream.status, &stream);
  }

  std::optional<FeedItem> advance(Stream& stream, bool ok) {
    switch (stream.step) {
      case Stream::Step::kOpening:
        if (ok) {
          read(stream);
        } else {
          finish(stream);
        }
        return std::nullopt;
      case Stream::Step::kReading:
        if (ok) return take_event(stream);
        finish(stream);
        return std::nullopt;
      case Stream::Step::kFinishing:
        return after_end(stream);
      case Stream::Step::kWaiting:
        open(stream);
        return std::nullopt;
      case Stream::Step::kClosed:
        return std::nullopt;
    }
    return std::nullopt;
  }

  std::optional<FeedItem> take_event(Stream& stream) {
    FeedItem next = item(FeedItem::Kind::kEvent, {});
    next.event = std::move(stream.event);
    read(stream);
    stream.failures = 0;
    away_since_.reset();
    if (next.event.number() < stream.next_number) return std::nullopt;  // seen before
    stream.next_number = next.event.number() + 1;
    stream.ended = next.event.has_state() && has_ended(next.event.state().state());
    return next;
  }

  std::optional<FeedItem> after_end(Stream& stream) {
    const grpc::Status& status = stream.status;
    if (status.ok() && stream.ended) {
      stream.step = Stream::Step::kClosed;
      --open_;
      return std::nullopt;
    }
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
      open(stream);
      return std::nullopt;
    }
    const Status failure =
        status.ok() ? unavailable("the events of " + stream.job + " stopped before its end")
                    : call_status(status, server_.address(), options_.stream_limit);
    if (failure.code() != Code::kUnavailable) return fail(failure);
    return try_again(stream, failure);
  }

  std::optional<FeedItem> try_again(Stream& stream, const Status& failure) {
    const MonotonicTime now = options_.clock->monotonic();
    const bool first = !away_since_ || now - last_failure_ > kQuietEndsOutage;
    if (first) away_since_ = now;
    last_failure_ = now;
    if (now - *away_since_ > options_.patience) return fail(failure);
    const Millis delay = backoff_delay(options_.backoff, stream.failures++, random_share());
    stream.step = Stream::Step::kWaiting;
    stream.alarm.Set(&queue_, std::chrono::system_clock::now() + delay, &stream);
    if (!first) return std::nullopt;
    return item(FeedItem::Kind::kAway, failure);
  }

  FeedItem fail(Status failure) {
    open_ = 0;
    return item(FeedItem::Kind::kFailed, std::move(failure));
  }

  Server& server_;
  const FeedOptions options_;
  grpc::CompletionQueue queue_;
  std::deque<Stream> streams_;  // tags point into it: never moved
  size_t open_ = 0;
  std::optional<MonotonicTime> away_since_;
  MonotonicTime last_failure_;
};

EventFeed::EventFeed(Server& server, FeedOptions options)
    : streams_(std::make_unique<Streams>(server, options)) {}
EventFeed::~EventFeed() = default;

void EventFeed::add(const std::string& job_id) { streams_->add(job_id); }

FeedItem EventFeed::next(std::chrono::system_clock::time_point deadline) {
  return streams_->next(deadline);
}

}  // namespace prefixmem::client
