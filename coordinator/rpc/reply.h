// How a unary call ends.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <utility>

#include "common/guarded.h"
#include "common/proto/status_grpc.h"
#include "common/status.h"
#include "coordinator/rpc/caller.h"
#include "coordinator/rpc/context.h"

namespace prefixmem::rpc {

// With what `work` gives: a message for `response`, or the failure; or because its caller makes too
// many calls. `work` may wait for the disk, so it is done on a thread of `context.calls`: gRPC has
// as few as two, which every stream needs. It may refer to the request, not to the caller's locals.
template <class Message, class Work>
grpc::ServerUnaryReactor* reply(const ServiceContext& context, grpc::CallbackServerContext* call,
                                Message* response, Work work) {
  auto* reactor = call->DefaultReactor();
  const Status admitted =
      guarded([&] { return context.limits.admit(caller_name(*call, context.tokens)); });
  if (!admitted.ok()) {
    reactor->Finish(to_grpc(admitted));
    return reactor;
  }
  context.calls.post([reactor, response, work = std::move(work)] {
    const Status status = guarded([&]() -> Status {
      PM_ASSIGN(*response, work());
      return {};
    });
    reactor->Finish(to_grpc(status));
  });
  return reactor;
}

}  // namespace prefixmem::rpc
