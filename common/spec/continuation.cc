#include "common/spec/continuation.h"

#include <algorithm>

namespace prefixmem::spec {

bool is_listed(std::string_view path, std::string_view keys) {
  while (!keys.empty()) {
    const std::string_view key = keys.substr(0, keys.find(", "));
    if (key == path) return true;
    keys.remove_prefix(std::min(key.size() + 2, keys.size()));
  }
  return false;
}

}  // namespace prefixmem::spec
