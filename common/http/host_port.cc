#include "common/http/host_port.h"

#include <charconv>

namespace prefixmem {

Result<HostPort> parse_host_port(const std::string& flag, const std::string& text) {
  const size_t colon = text.rfind(':');
  HostPort out;
  const char* const end = text.data() + text.size();
  if (colon != std::string::npos && colon > 0) {
    out.host = text.substr(0, colon);
    const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, out.port);
    if (error == std::errc() && rest == end && out.port >= 0 && out.port <= 65535) return out;
  }
  return invalid_argument(flag + " is " + text + "; allowed: HOST:PORT, e.g. 127.0.0.1:0");
}

}  // namespace prefixmem
