// An id that outlives the process that first asked for it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "common/status.h"

namespace prefixmem {

// What the file holds, which is made with a new_id(prefix) where it is missing or empty.
Result<std::string> persistent_id(const std::filesystem::path& file, std::string_view prefix);

}  // namespace prefixmem
