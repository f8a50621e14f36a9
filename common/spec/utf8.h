// Text as bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace prefixmem::spec {

// Well-formed UTF-8 (Unicode 15, table 3-7): no overlong forms, no surrogates, nothing above
// U+10FFFF.
bool is_utf8(std::string_view bytes);

// The text, or its first `most` bytes at most and "…", cut between characters.
std::string shortened(std::string_view text, size_t most);

}  // namespace prefixmem::spec
