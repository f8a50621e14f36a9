#include "coordinator/sweep/draws.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "common/random.h"

namespace prefixmem::sweep {

double Draws::uniform() {
  constexpr double kUnit = 0x1p-53;
  return static_cast<double>(random_bits({seed_, trial_, ++drawn_}) >> 11) * kUnit;
}

// Box and Muller 1958; one of the pair.
double Draws::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

int64_t Draws::below(int64_t count) {
  const auto index = static_cast<int64_t>(uniform() * static_cast<double>(count));
  return std::min(index, count - 1);
}

size_t Draws::weighted(const std::vector<double>& weights) {
  double left = uniform() * std::accumulate(weights.begin(), weights.end(), 0.0);
  for (size_t i = 0; i < weights.size(); ++i) {
    left -= weights[i];
    if (left < 0) return i;
  }
  return weights.size() - 1;
}

}  // namespace prefixmem::sweep
