// The release this program was built from.
#pragma once

#include <string_view>

namespace prefixmem {

std::string_view version();  // "0.1.0"

}  // namespace prefixmem
