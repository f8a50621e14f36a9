// Counter-based random numbers: a pure function of its keys, so every rank, platform and standard
// library draws the same ones. (std::shuffle and the std distributions are implementation-defined.)
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace prefixmem {

// 64 bits for a path of keys; SplitMix64's finaliser (Steele, Lea, Flood 2014) chained over them.
uint64_t random_bits(std::initializer_list<uint64_t> keys);

// FNV-1a, to use text as a key.
uint64_t text_key(std::string_view text);

// The numbers 0 … count-1 in an order that depends on (seed, stream) alone.
std::vector<int64_t> permutation(int64_t count, uint64_t seed, uint64_t stream);

}  // namespace prefixmem
