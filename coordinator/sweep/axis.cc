#include "coordinator/sweep/axis.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "common/spec/limit.h"

namespace prefixmem::sweep {
namespace {

double scaled(double value, bool log) { return log ? std::log(value) : value; }

double unscaled(double place, bool log) { return log ? std::exp(place) : place; }

Axis axis(double least, double most, bool log, bool whole) {
  const double half = whole ? 0.5 : 0;
  return {.low = scaled(least - half, log),
          .high = scaled(most + half, log),
          .log = log,
          .whole = whole,
          .least = least,
          .most = most};
}

}  // namespace

double Axis::place(const std::string& value) const {
  double number = 0;
  std::from_chars(value.data(), value.data() + value.size(), number);
  return scaled(number, log);
}

std::string Axis::value_at(double place) const {
  double value = unscaled(place, log);
  if (whole) value = std::round(value);
  value = std::clamp(value, least, most);
  return whole ? std::to_string(static_cast<int64_t>(value)) : spec::number_text(value);
}

double Axis::lower_edge(double place) const {
  return scaled(std::round(unscaled(place, log)) - 0.5, log);
}

double Axis::upper_edge(double place) const {
  return scaled(std::round(unscaled(place, log)) + 0.5, log);
}

Axis axis_of(const Domain& domain) {
  if (const auto* whole = std::get_if<IntDomain>(&domain)) {
    return axis(static_cast<double>(whole->low), static_cast<double>(whole->high), whole->log,
                true);
  }
  if (const auto* log = std::get_if<LogUniformDomain>(&domain)) {
    return axis(log->low, log->high, true, false);
  }
  const auto& uniform = std::get<UniformDomain>(domain);
  return axis(uniform.low, uniform.high, false, false);
}

}  // namespace prefixmem::sweep
