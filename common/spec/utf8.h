// Whether bytes are text.
#pragma once

#include <string_view>

namespace prefixmem::spec {

// Well-formed UTF-8 (Unicode 15, table 3-7): no overlong forms, no surrogates, nothing above
// U+10FFFF.
bool is_utf8(std::string_view bytes);

}  // namespace prefixmem::spec
