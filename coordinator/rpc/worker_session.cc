#include "coordinator/rpc/worker_session.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "common/guarded.h"
#include "common/proto/status_grpc.h"

namespace prefixmem::rpc {

WorkerSession* WorkerSession::begin(Coordinator& coordinator, grpc::CallbackServerContext* call) {
  const std::shared_ptr<WorkerSession> session(new WorkerSession(coordinator, call));
  session->self_ = session;
  session->StartRead(&session->incoming_);
  return session.get();
}

void WorkerSession::send(v1::CoordinatorMessage message) {
  const MutexLock lock(mutex_);
  if (closed_) return;
  outbox_.push_back(std::move(message));
  write_next();
}

void WorkerSession::close(const Status& why) {
  const MutexLock lock(mutex_);
  if (closed_) return;
  closed_ = why;
  outbox_.clear();
  if (writing_) {
    call_->TryCancel();  // a worker that does not read must not keep the stream open
  } else {
    finish();
  }
}

void WorkerSession::write_next() {
  if (writing_ || outbox_.empty()) return;
  writing_ = true;
  outgoing_ = std::move(outbox_.front());
  outbox_.pop_front();
  StartWrite(&outgoing_);
}

void WorkerSession::finish() {
  if (std::exchange(finished_, true)) return;
  Finish(to_grpc(*closed_));
}

void WorkerSession::OnWriteDone(bool ok) {
  const MutexLock lock(mutex_);
  writing_ = false;
  if (!ok && !closed_) closed_ = unavailable("the stream broke");
  if (closed_) {
    finish();
  } else {
    write_next();
  }
}

void WorkerSession::OnReadDone(bool ok) {
  if (!ok) {
    if (!worker_id_.empty()) coordinator_.disconnect(worker_id_, this);
    return close(Status());
  }
  const Status taken = guarded([this] { return take(incoming_); });
  if (!taken.ok()) {
    spdlog::warn("worker {}: {}", worker_id_.empty() ? "not registered" : worker_id_,
                 taken.message());
    if (!worker_id_.empty()) coordinator_.disconnect(worker_id_, this);
    return close(taken);
  }
  StartRead(&incoming_);
}

Status WorkerSession::take(const v1::WorkerMessage& message) {
  if (!worker_id_.empty()) return coordinator_.receive(worker_id_, this, message);
  if (!message.has_register_()) {
    return failed_precondition("the first message of a worker is register");
  }
  worker_id_ = message.register_().worker_id();
  return coordinator_.connect(message.register_(), self_);
}

void WorkerSession::OnDone() {
  if (!worker_id_.empty()) coordinator_.disconnect(worker_id_, this);
  const auto last = std::exchange(self_, nullptr);
}

}  // namespace prefixmem::rpc
