#include "worker/agent/stream/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <utility>

#include "common/tls/credentials.h"

namespace prefixmem::agent {

Result<std::unique_ptr<Dialler>> Dialler::make(std::string coordinator,
                                               const tls::ClientFiles& files) {
  PM_ASSIGN(auto credentials, tls::channel_credentials(files));
  return std::unique_ptr<Dialler>(new Dialler(std::move(coordinator), std::move(credentials)));
}

Dialler::Dialler(std::string coordinator, std::shared_ptr<grpc::ChannelCredentials> credentials)
    : coordinator_(std::move(coordinator)), credentials_(std::move(credentials)) {
  dial();
}

std::shared_ptr<grpc::Channel> Dialler::dial() {
  grpc::ChannelArguments arguments;
  // Else a channel takes over the connection of another, with its failures.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // Named a back-off, it is how long a dial may take: a busy host needs seconds.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000);
  arguments.SetMaxReceiveMessageSize(16 << 20);
  auto channel = grpc::CreateCustomChannel(coordinator_, credentials_, arguments);
  const MutexLock lock(mutex_);
  current_ = channel;
  return channel;
}

std::shared_ptr<grpc::Channel> Dialler::current() const {
  const MutexLock lock(mutex_);
  return current_;
}

}  // namespace prefixmem::agent
