// A numeric domain as an interval in which equal distances mean equal changes.
#pragma once

#include <string>

#include "common/spec/job_spec.h"

namespace prefixmem::sweep {

// Of a log domain the logarithms. A whole number stands for the half either side of it.
struct Axis {
  double low = 0;
  double high = 1;
  bool log = false;
  bool whole = false;
  double least = 0;  // of the values themselves
  double most = 1;

  double width() const { return high - low; }
  double place(const std::string& value) const;  // of a value that `value_at` gave
  std::string value_at(double place) const;      // within the domain, wherever the place is
  // The interval that stands for a whole number's place.
  double lower_edge(double place) const;
  double upper_edge(double place) const;
};

// Not of a choice.
Axis axis_of(const Domain& domain);

}  // namespace prefixmem::sweep
