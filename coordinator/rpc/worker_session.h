// One worker's stream.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "common/thread_annotations.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/core/worker_link.h"

namespace prefixmem::rpc {

// Hands what the worker says to the coordinator, in order, and sends what the coordinator says.
// Lives until gRPC is done with it and the coordinator has let go of it; `coordinator` outlives
// both.
class WorkerSession final
    : public grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage>,
      public WorkerLink {
 public:
  // To be returned to gRPC at once.
  static WorkerSession* begin(Coordinator& coordinator, grpc::CallbackServerContext* call);

  void send(v1::CoordinatorMessage message) override;
  // Where a message is still on its way to the worker it is given up, and so is `why`.
  void close(const Status& why) override;

 private:
  WorkerSession(Coordinator& coordinator, grpc::CallbackServerContext* call)
      : coordinator_(coordinator), call_(call) {}

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;

  Status take(const v1::WorkerMessage& message);
  void write_next() PM_REQUIRES(mutex_);
  void finish() PM_REQUIRES(mutex_);

  // Constant after construction.
  Coordinator& coordinator_;
  grpc::CallbackServerContext* const call_;  // valid until OnDone
  std::shared_ptr<WorkerSession> self_;      // until OnDone

  // Of the reading side.
  v1::WorkerMessage incoming_;
  std::string worker_id_;  // once it has registered

  Mutex mutex_;
  std::deque<v1::CoordinatorMessage> outbox_ PM_GUARDED_BY(mutex_);
  v1::CoordinatorMessage outgoing_ PM_GUARDED_BY(mutex_);
  bool writing_ PM_GUARDED_BY(mutex_) = false;
  bool finished_ PM_GUARDED_BY(mutex_) = false;
  std::optional<Status> closed_ PM_GUARDED_BY(mutex_);
};

}  // namespace prefixmem::rpc
