#include "client/benchmarks/python_shuffle.h"

#include <bit>
#include <iterator>
#include <utility>

namespace prefixmem::client {
namespace {

constexpr size_t kWords = std::mt19937::state_size;

// init_by_array of the generator's reference implementation (Matsumoto, Nishimura, 2002).
struct SeedWords {
  using result_type = uint32_t;

  std::vector<uint32_t> key;

  template <class It>
  void generate(It begin, It end) const {
    std::vector<uint32_t> state(kWords);
    state[0] = 19650218;
    const auto mixed = [&](size_t i, uint32_t factor) {
      const uint32_t before = state[i - 1];
      return factor * (before ^ (before >> 30U));
    };
    for (size_t i = 1; i < kWords; ++i) state[i] = mixed(i, 1812433253) + static_cast<uint32_t>(i);
    size_t i = 1;
    const auto advance = [&] {
      if (++i < kWords) return;
      state[0] = state[kWords - 1];
      i = 1;
    };
    for (size_t k = 0; k < kWords; ++k, advance()) {
      const size_t j = k % key.size();
      state[i] = (state[i] ^ mixed(i, 1664525)) + key[j] + static_cast<uint32_t>(j);
    }
    for (size_t k = 1; k < kWords; ++k, advance()) {
      state[i] = (state[i] ^ mixed(i, 1566083941)) - static_cast<uint32_t>(i);
    }
    state[0] = 0x80000000U;
    for (size_t at = 0; begin != end; ++begin) *begin = state[at++];
  }
};

std::mt19937 seeded(uint64_t seed) {
  SeedWords words;
  words.key.push_back(static_cast<uint32_t>(seed));
  if (seed >> 32U != 0) words.key.push_back(static_cast<uint32_t>(seed >> 32U));
  return std::mt19937(words);
}

}  // namespace

PythonRandom::PythonRandom(uint64_t seed) : random_(seeded(seed)) {}

void PythonRandom::shuffle(std::vector<int64_t>& items) {
  for (int64_t last = std::ssize(items) - 1; last > 0; --last) {
    const auto bound = static_cast<uint32_t>(last + 1);
    const int unused = std::countl_zero(bound);
    uint32_t drawn = bound;
    while (drawn >= bound) drawn = static_cast<uint32_t>(random_()) >> unused;
    std::swap(items[last], items[drawn]);
  }
}

}  // namespace prefixmem::client
