// The connection's lower end.
#pragma once

#include <memory>
#include <string>

#include "common/status.h"
#include "common/tls/files.h"

namespace grpc {
class Channel;
}

namespace prefixmem::agent {

// To "host:port". Fails fast while the coordinator is away and dials again within a second, so that
// the callers' back-off decides; notices within half a minute that the other end is gone for good.
// What tls::check says of the files.
Result<std::shared_ptr<grpc::Channel>> dial(const std::string& coordinator,
                                            const tls::ClientFiles& files);

}  // namespace prefixmem::agent
