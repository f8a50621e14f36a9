// Python's random.Random(seed).shuffle.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace prefixmem::client {

// CPython's MT19937, seeded with the seed's 32-bit words.
class PythonRandom {
 public:
  explicit PythonRandom(uint64_t seed);

  // Fisher-Yates from the end with numbers drawn by rejection. What is shuffled next depends on
  // how many items were shuffled before.
  void shuffle(std::vector<int64_t>& items);

 private:
  std::mt19937 random_;
};

}  // namespace prefixmem::client
