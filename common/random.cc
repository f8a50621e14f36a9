#include "common/random.h"

#include <algorithm>
#include <numeric>

namespace prefixmem {
namespace {

uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}  // namespace

uint64_t random_bits(std::initializer_list<uint64_t> keys) {
  uint64_t state = 0;
  for (const uint64_t key : keys) state = mix(state ^ mix(key));
  return state;
}

uint64_t text_key(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

std::vector<int64_t> permutation(int64_t count, uint64_t seed, uint64_t stream) {
  std::vector<uint64_t> keys(count);
  for (int64_t i = 0; i < count; ++i) {
    keys[i] = random_bits({seed, stream, static_cast<uint64_t>(i)});
  }
  std::vector<int64_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](int64_t a, int64_t b) { return keys[a] != keys[b] ? keys[a] < keys[b] : a < b; });
  return order;
}

}  // namespace prefixmem
