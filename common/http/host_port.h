// "127.0.0.1:7070" as people and flags give it.
#pragma once

#include <string>

#include "common/status.h"

namespace prefixmem {

struct HostPort {
  std::string host;
  int port = 0;  // 0: where one listens, a free one

  std::string to_string() const { return host + ":" + std::to_string(port); }
};

// INVALID_ARGUMENT naming `flag` where `text` is no HOST:PORT. Pure.
Result<HostPort> parse_host_port(const std::string& flag, const std::string& text);

}  // namespace prefixmem
