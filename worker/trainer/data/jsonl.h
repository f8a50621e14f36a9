// JSON Lines: one object a line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/status.h"

namespace prefixmem::trainer {

struct JsonLine {
  int64_t line = 0;  // from 1
  nlohmann::json object;
};

// Blank lines are skipped. Errors name file and line: NOT_FOUND (no such file), INVALID_ARGUMENT (a
// line that is no JSON object, or no line at all).
Result<std::vector<JsonLine>> read_jsonl(const std::filesystem::path& file);

// "data/train.jsonl line 3", as messages about a row begin.
std::string row_name(const std::filesystem::path& file, int64_t line);

}  // namespace prefixmem::trainer
