// Which release a program was built from, and which commit.
#pragma once

#include <string_view>

namespace prefixmem {

// What scripts/version.sh says: "0.1.0+202611302045.g5a1ea7c".
std::string_view version();

// The same of programs that are installed (name_build in cmake/Version.cmake), of tests the release
// alone.
const char* build_version();

}  // namespace prefixmem
