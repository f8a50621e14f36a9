// Names of enumerators of the API as people read them.
#pragma once

#include <string>
#include <string_view>

namespace prefixmem {

// "running" of "JOB_STATE_RUNNING" and its enumeration's prefix, with which it begins.
std::string value_name(std::string_view enumerator, std::string_view prefix);

}  // namespace prefixmem
