// Spans of time as people write them: "90s", "45m", "1h30m", "2d".
#pragma once

#include <optional>
#include <string_view>

#include "common/clock.h"
#include "common/spec/limit.h"

namespace prefixmem::spec {

// Whole numbers with d, h, m or s, each unit at most once and the larger first; 1 s to 366 days.
std::optional<Millis> parse_duration(std::string_view text);

inline constexpr std::string_view kDurationText =
    "a time such as 90s, 45m, 1h30m or 2d, from 1s to 366d";
Limit duration_text();

}  // namespace prefixmem::spec
