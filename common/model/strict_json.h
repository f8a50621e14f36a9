// JSON that comes from outside: nothing said twice, nothing deep enough to hurt.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "common/status.h"

namespace prefixmem {

// One JSON object. DATA_LOSS where the text is none, is nested deeper than `max_depth` (an object
// of plain values has depth 1), gives a key twice in one object or holds a number out of range.
Result<nlohmann::json> parse_strict_json(std::string_view text, int max_depth);

// A value for an error message: its JSON text, cut short where it is long.
std::string shown(const nlohmann::json& value);

}  // namespace prefixmem
