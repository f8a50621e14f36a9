// One call of a transfer: with a deadline, and ended by a stop.
#pragma once

#include <grpcpp/client_context.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <utility>

#include "common/proto/status_grpc.h"
#include "common/status.h"

namespace prefixmem::agent {

// For so many bytes over the slowest line that is waited for.
inline std::chrono::seconds transfer_limit(int64_t bytes) {
  constexpr int64_t kSlowestBytesPerSecond = int64_t{1} << 20;
  return std::chrono::seconds(30 + bytes / kSlowestBytesPerSecond);
}

class TransferCall {
 public:
  TransferCall(std::chrono::seconds limit, std::stop_token stop)
      : stop_(std::move(stop)), cancel_(stop_, [this] { context_.TryCancel(); }) {
    context_.set_deadline(std::chrono::system_clock::now() + limit);
  }
  grpc::ClientContext* context() { return &context_; }
  Status result(const grpc::Status& status) const {
    if (stop_.stop_requested()) return cancelled("the transfer was stopped");
    Status known = from_grpc(status);
    if (is_of_full_disk(known))
      known = Status(known.code(), known.message() + " (at the coordinator)");
    if (known.code() != Code::kCancelled) return known;
    return unavailable("the coordinator broke the transfer off: " + known.message());
  }

 private:
  grpc::ClientContext context_;
  const std::stop_token stop_;
  std::stop_callback<std::function<void()>> cancel_;
};

}  // namespace prefixmem::agent
