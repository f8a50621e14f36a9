// Where every choice of a scenario comes from: the same seed gives the same choices everywhere.
#pragma once

#include <cstddef>
#include <vector>

#include "common/clock.h"
#include "common/random.h"

namespace prefixmem::simulation {

class Random {
 public:
  explicit Random(uint64_t seed) : seed_(seed) {}

  uint64_t bits() { return random_bits({seed_, drawn_++}); }
  // Both bounds included.
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(bits() % static_cast<uint64_t>(high - low + 1));
  }
  Millis between(Millis low, Millis high) { return Millis(between(low.count(), high.count())); }
  double share() { return static_cast<double>(bits() >> 11) * 0x1p-53; }  // [0, 1)
  bool chance(double share_of_times) { return share() < share_of_times; }
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from.at(static_cast<size_t>(between(0, static_cast<int64_t>(from.size()) - 1)));
  }

 private:
  const uint64_t seed_;
  uint64_t drawn_ = 0;
};

}  // namespace prefixmem::simulation
