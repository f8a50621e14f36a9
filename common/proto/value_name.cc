#include "common/proto/value_name.h"

#include <algorithm>

namespace prefixmem {

std::string value_name(std::string_view enumerator, std::string_view prefix) {
  std::string name(enumerator.substr(prefix.size()));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return static_cast<char>(c - 'A' + 'a'); });
  return name;
}

}  // namespace prefixmem
