// JSON Lines: one object a line.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "common/status.h"

namespace prefixmem::trainer {

// Keys stay in the order in which they are written: chat templates may print objects.
using Json = nlohmann::ordered_json;

// The JSON of a text. INVALID_ARGUMENT, beginning with `where`, for what is no JSON, or is nested
// deeper than 100.
Result<Json> parse_json(std::string_view text, const std::string& where);

// The object of a line; INVALID_ARGUMENT where it is another JSON value.
Result<Json> parse_json_line(std::string_view line, const std::string& where);

}  // namespace prefixmem::trainer
