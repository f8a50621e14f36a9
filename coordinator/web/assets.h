// The files of assets/ and Chart.js, built into the program.
#pragma once

#include <string_view>

namespace prefixmem::web {

struct Asset {
  std::string_view content;
  std::string_view content_type;
};

// By name, e.g. "job.html"; null where there is none.
const Asset* find_asset(std::string_view name);

}  // namespace prefixmem::web
