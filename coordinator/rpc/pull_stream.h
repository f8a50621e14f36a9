// A server stream that is pulled: the next message is made only when the last one is on its way, so
// a slow client costs one message of memory and holds up nobody.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <optional>
#include <utility>

#include "common/guarded.h"
#include "common/proto/status_grpc.h"
#include "common/status.h"
#include "common/thread_annotations.h"
#include "coordinator/rpc/work_queue.h"

namespace prefixmem::rpc {

// The next message; or the end, OK or a failure; or neither: nothing until the stream is woken.
template <class Message>
struct Pulled {
  std::optional<Message> message = {};
  std::optional<Status> end = {};
};

// Where messages come from. Asked by one thread at a time; may read the store.
template <class Message>
class Source {
 public:
  virtual ~Source() = default;
  virtual Result<Pulled<Message>> pull() = 0;
};

// Lives until gRPC is done with it.
template <class Message>
class PullStream final : public grpc::ServerWriteReactor<Message>,
                         public std::enable_shared_from_this<PullStream<Message>> {
 public:
  static std::shared_ptr<PullStream> make(std::unique_ptr<Source<Message>> source) {
    std::shared_ptr<PullStream> stream(new PullStream(std::move(source)));
    stream->self_ = stream;
    return stream;
  }

  // Kept as long as the stream lives, e.g. the subscription that wakes it.
  void keep(std::shared_ptr<const void> companion) { companion_ = std::move(companion); }

  // Starts. To be returned to gRPC at once.
  grpc::ServerWriteReactor<Message>* begin() {
    wake();
    return this;
  }

  // The same of a source that may wait, which is pulled on threads of `queue` alone.
  grpc::ServerWriteReactor<Message>* begin_on(WorkQueue& queue) {
    pulls_ = &queue;
    wake();
    return this;
  }

  // There may be something new, from any thread.
  void wake() {
    {
      const MutexLock lock(mutex_);
      woken_ = true;
      if (std::exchange(busy_, true)) return;
    }
    go_on();
  }

  // The same on a thread of `queue`, where at most one wake of this stream waits at a time.
  void wake_on(WorkQueue& queue) {
    {
      const MutexLock lock(mutex_);
      if (std::exchange(wake_queued_, true)) return;
    }
    queue.post([weak = this->weak_from_this()] {
      if (const auto alive = weak.lock()) alive->wake_from_queue();
    });
  }

 private:
  explicit PullStream(std::unique_ptr<Source<Message>> source) : source_(std::move(source)) {}

  void OnWriteDone(bool ok) override {
    if (ok) {
      go_on();
    } else {
      this->Finish(grpc::Status::CANCELLED);
    }
  }

  void OnCancel() override {
    {
      const MutexLock lock(mutex_);
      cancelled_ = true;
    }
    wake();
  }

  void OnDone() override { self_.reset(); }

  void wake_from_queue() {
    {
      const MutexLock lock(mutex_);
      wake_queued_ = false;  // what comes from here on may be missed by the pull that follows
    }
    wake();
  }

  void go_on() {
    if (pulls_ == nullptr) return advance();
    pulls_->post([self = this->shared_from_this()] { self->advance(); });
  }

  // Runs with busy_ set; it stays set for ever once the stream is finished.
  void advance() {
    do {
      if (is_cancelled()) return this->Finish(grpc::Status::CANCELLED);
      auto pulled = guarded([this] { return source_->pull(); });
      if (!pulled.ok()) return this->Finish(to_grpc(pulled.status()));
      if (pulled->end) return this->Finish(to_grpc(*pulled->end));
      if (pulled->message) {
        message_ = *std::move(pulled->message);
        return this->StartWrite(&message_);
      }
    } while (!rest());
  }

  bool is_cancelled() {
    const MutexLock lock(mutex_);
    woken_ = false;
    return cancelled_;
  }

  // False where a wake has come meanwhile.
  bool rest() {
    const MutexLock lock(mutex_);
    if (!woken_) busy_ = false;
    return !busy_;
  }

  const std::unique_ptr<Source<Message>> source_;
  std::shared_ptr<const void> companion_;  // set before begin()
  WorkQueue* pulls_ = nullptr;             // constant once it has begun; null: pulled anywhere
  std::shared_ptr<PullStream> self_;       // until OnDone

  Message message_;  // of the one that is busy

  Mutex mutex_;
  bool busy_ PM_GUARDED_BY(mutex_) = false;  // somebody pulls, or a write is under way
  bool woken_ PM_GUARDED_BY(mutex_) = false;
  bool wake_queued_ PM_GUARDED_BY(mutex_) = false;
  bool cancelled_ PM_GUARDED_BY(mutex_) = false;
};

// A stream that ends at once.
template <class Message>
grpc::ServerWriteReactor<Message>* ended_stream(const Status& status) {
  class Ended final : public grpc::ServerWriteReactor<Message> {
    void OnDone() override { delete this; }
  };
  auto* stream = new Ended();
  stream->Finish(to_grpc(status));
  return stream;
}

}  // namespace prefixmem::rpc
