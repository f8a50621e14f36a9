// The order that Python's random.Random(seed).shuffle gives.
#pragma once

#include <cstdint>
#include <vector>

namespace prefixmem::client {

// Which of `count` items stands at each place: CPython's MT19937, seeded with the seed's 32-bit
// words, and Fisher-Yates from the end with numbers drawn by rejection.
std::vector<int64_t> python_shuffle(int64_t count, uint64_t seed);

}  // namespace prefixmem::client
