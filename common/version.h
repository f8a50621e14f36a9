// Which release a program was built from, and which commit.
#pragma once

#include <string_view>

namespace prefixmem {

// What scripts/version.sh says, "0.1.0+20261130204507.g5a1ea7c", in programs that are installed
// (name_build in cmake/Version.cmake); in tests the release alone.
std::string_view version();

}  // namespace prefixmem
