#include "worker/agent/stream/channel.h"

#include <grpcpp/create_channel.h>

#include "common/tls/credentials.h"

namespace prefixmem::agent {

Result<std::shared_ptr<grpc::Channel>> dial(const std::string& coordinator,
                                            const tls::ClientFiles& files) {
  PM_ASSIGN(const auto credentials, tls::channel_credentials(files));
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // Named a back-off, it is how long a dial may take: a busy host needs seconds.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000);
  arguments.SetMaxReceiveMessageSize(16 << 20);
  return grpc::CreateCustomChannel(coordinator, credentials, arguments);
}

}  // namespace prefixmem::agent
