// Random numbers of one decision: the same on every platform for the same seed and trial.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace prefixmem::sweep {

class Draws {
 public:
  Draws(int64_t seed, int trial)
      : seed_(static_cast<uint64_t>(seed)), trial_(static_cast<uint64_t>(trial)) {}

  double uniform();              // [0, 1)
  double normal();               // of mean 0 and deviation 1
  int64_t below(int64_t count);  // 0 … count-1
  // An index, as likely as its weight. The weights are not negative and not all 0.
  size_t weighted(const std::vector<double>& weights);

 private:
  const uint64_t seed_;
  const uint64_t trial_;
  uint64_t drawn_ = 0;
};

}  // namespace prefixmem::sweep
