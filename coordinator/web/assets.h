// The files of assets/, built into the program.
#pragma once

#include <string_view>

namespace prefixmem::web {

extern const std::string_view kJobScript;
extern const std::string_view kStyleSheet;

}  // namespace prefixmem::web
