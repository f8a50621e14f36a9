// Lines over whole numbers as an SVG picture.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace prefixmem::client {

struct Line {
  std::string name;
  std::vector<double> values;  // at the plot's first_x, first_x + 1, …
};

struct LinePlot {
  std::string title, x_label;
  int64_t first_x = 0;
  bool log_y = false;  // otherwise from 0 up
  std::vector<Line> lines = {};
};

// The plots one below the other; colours go from the first line to the last. Values that are not
// finite, or under log_y not above 0, are gaps.
std::string svg_of(const std::vector<LinePlot>& plots);

}  // namespace prefixmem::client
