// Tables of text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace prefixmem::client {

// The records of a CSV file (RFC 4180): cells apart by commas, records by line breaks; a cell in
// double quotes may hold both, and a quote written twice. DATA_LOSS with the line where a quote
// does not close or something follows it.
Result<std::vector<std::vector<std::string>>> parse_csv(std::string_view text);

// Cells apart by tabs, without quotes.
std::vector<std::vector<std::string>> parse_tsv(std::string_view text);

}  // namespace prefixmem::client
