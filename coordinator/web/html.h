// Text into HTML.
#pragma once

#include <string>
#include <string_view>

namespace prefixmem::web {

// Safe between tags and inside quoted attributes. Pure.
std::string escaped(std::string_view text);

}  // namespace prefixmem::web
