// Which layers a key names: "all", or numbers and ranges such as 3 and 0-11.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/status.h"

namespace prefixmem::spec {

// First and last layer of each entry, from 0; empty for {"all"}. INVALID_ARGUMENT with the entry.
Result<std::vector<std::pair<int64_t, int64_t>>> parse_layer_list(
    const std::vector<std::string>& entries);

// The distinct layers in order, of a model with `count`. INVALID_ARGUMENT also where one is not
// below it.
Result<std::vector<int64_t>> select_layers(const std::vector<std::string>& entries, int64_t count);

}  // namespace prefixmem::spec
