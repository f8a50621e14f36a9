// One log format for every program, on stderr:
// "2026-01-31T12:00:00.123Z info  coordinator: worker w-1 registered, 4 slots".
#pragma once

#include <spdlog/spdlog.h>

#include <string>
#include <string_view>

#include "common/status.h"

namespace prefixmem {

// Call once, first in main. `level` is trace, debug, info, warning, error or off; anything else is
// INVALID_ARGUMENT. Afterwards spdlog::info("…", …) is safe from every thread.
Status set_up_log(std::string_view program, std::string_view level);

}  // namespace prefixmem
