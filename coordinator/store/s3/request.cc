#include "coordinator/store/s3/request.h"

#include <fmt/format.h>

#include <cctype>

namespace prefixmem::store::s3 {

std::string percent_encoded(std::string_view text, bool keep_slashes) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.' || c == '~' ||
                       (c == '/' && keep_slashes);
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return out;
}

std::string target_of(const std::string& bucket, const Request& request) {
  std::string target = "/" + bucket;
  if (!request.key.empty()) target += "/" + percent_encoded(request.key, true);
  char before = '?';
  for (const auto& [name, value] : request.query) {
    target += before + percent_encoded(name, false) + "=" + percent_encoded(value, false);
    before = '&';
  }
  return target;
}

}  // namespace prefixmem::store::s3
