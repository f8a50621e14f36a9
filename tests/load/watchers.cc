#include "tests/load/watchers.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include "common/proto/timestamps.h"

namespace prefixmem::load {

// Deletes itself when its stream is over.
class Watcher final : public grpc::ClientReadReactor<v1::JobEvent> {
 public:
  Watcher(Watchers& owner, bool stuck)
      : owner_(owner), stuck_(stuck), opened_(real_clock().wall()) {}

  void start(v1::JobService::Stub& stub, const std::string& job_id) {
    request_.set_job(job_id);
    stub.async()->WatchJob(&context_, &request_, this);
    StartRead(&event_);
    if (stuck_) AddHold();
    StartCall();
  }

  void stop() {
    context_.TryCancel();
    if (stuck_) RemoveHold();
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return;
    ++owner_.events;
    if (event_.number() != ++last_) ++owner_.gaps;
    const WallTime told = from_timestamp(event_.time());
    // What it finds when it opens was told before.
    if (event_.has_trainer() && told >= opened_) {
      owner_.delay.add(to_seconds(real_clock().wall() - told));
    }
    if (!stuck_) StartRead(&event_);
  }

  void OnDone(const grpc::Status& status) override {
    if (status.ok()) {
      ++owner_.followed_to_end;
    } else if (status.error_code() != grpc::StatusCode::CANCELLED) {
      ++owner_.broken_streams;
    }
    owner_.closed(*this);
    delete this;
  }

  Watchers& owner_;
  const bool stuck_;
  const WallTime opened_;
  grpc::ClientContext context_;
  v1::WatchJobRequest request_;
  v1::JobEvent event_;
  int64_t last_ = 0;
};

Watchers::Watchers(const std::shared_ptr<grpc::Channel>& channel, int most,
                   const std::shared_ptr<grpc::Channel>& stuck_channel, int stuck)
    : stub_(v1::JobService::NewStub(channel)),
      stuck_stub_(v1::JobService::NewStub(stuck_channel)),
      most_(static_cast<size_t>(most)),
      stuck_(stuck) {}

Watchers::~Watchers() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  for (Watcher* watcher : open_) watcher->stop();
  changed_.wait(lock, [&] { return open_.empty(); });
}

void Watchers::watch(const std::string& job_id) {
  const std::lock_guard lock(mutex_);
  if (stopping_ || open_.size() >= most_) return;
  const bool stuck = stuck_ > 0;
  auto* watcher = new Watcher(*this, stuck);
  if (stuck) --stuck_;
  open_.insert(watcher);
  watcher->start(stuck ? *stuck_stub_ : *stub_, job_id);
}

void Watchers::closed(Watcher& watcher) {
  const std::lock_guard lock(mutex_);
  open_.erase(&watcher);
  changed_.notify_all();
}

}  // namespace prefixmem::load
