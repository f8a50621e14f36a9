// Whom a transfer calls.
#pragma once

#include <functional>
#include <memory>

namespace grpc {
class Channel;
}

namespace prefixmem::agent {

// The channel to the coordinator that is current, asked for each call. Thread-safe.
using ChannelSource = std::function<std::shared_ptr<grpc::Channel>()>;

}  // namespace prefixmem::agent
