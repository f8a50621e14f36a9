#include "common/http/same_origin.h"

#include <arpa/inet.h>

namespace prefixmem {
namespace {

Status refusal(const std::string& header, const std::string& value, const std::string& allowed) {
  return failed_precondition("a request that changes something came from another page: " + header +
                             " is " + value + "; allowed: " + allowed);
}

// Without the port and brackets.
std::string name_of(const std::string& host) {
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  const size_t colon = host.find(':');
  const bool is_v6 = colon != host.npos && host.find(':', colon + 1) != host.npos;
  return is_v6 ? host : host.substr(0, colon);
}

}  // namespace

bool is_loopback(const std::string& host) {
  const std::string name = name_of(host);
  if (name == "localhost" || name == "::1") return true;
  in_addr address{};
  return inet_pton(AF_INET, name.c_str(), &address) == 1 && name.starts_with("127.");
}

Status check_same_origin(const RequestSource& source, bool listens_on_loopback) {
  if (!source.fetch_site.empty() && source.fetch_site != "same-origin") {
    return refusal("Sec-Fetch-Site", source.fetch_site, "same-origin");
  }
  // A proxy before this server may speak TLS.
  const bool own =
      source.origin == "http://" + source.host || source.origin == "https://" + source.host;
  if (!source.origin.empty() && !own) {
    return refusal("Origin", source.origin, "http://" + source.host);
  }
  if (listens_on_loopback && !is_loopback(source.host)) {
    return refusal("Host", source.host, "localhost or 127.0.0.1");
  }
  return {};
}

}  // namespace prefixmem
