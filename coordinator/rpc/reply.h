// How a unary call ends.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include "common/guarded.h"
#include "common/proto/status_grpc.h"
#include "common/status.h"
#include "coordinator/rpc/caller.h"
#include "coordinator/rpc/context.h"

namespace prefixmem::rpc {

// With what `work` gives: a message for `response`, or the failure; or because its caller makes too
// many calls.
template <class Message, class Work>
grpc::ServerUnaryReactor* reply(const ServiceContext& context, grpc::CallbackServerContext* call,
                                Message* response, const Work& work) {
  const Status status = guarded([&]() -> Status {
    PM_TRY(context.limits.admit(caller_name(*call, context.tokens)));
    PM_ASSIGN(*response, work());
    return {};
  });
  auto* reactor = call->DefaultReactor();
  reactor->Finish(to_grpc(status));
  return reactor;
}

}  // namespace prefixmem::rpc
