// Randomness, and random names for things: "job-" and 12 of [a-z0-9] (62 bits: a million ids
// collide with probability 1e-7; the store refuses a duplicate all the same).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace prefixmem {

// 64 uniformly random bits a call. Tests inject a sequence.
using RandomBits = std::function<uint64_t()>;

// The kernel's randomness. Thread-safe.
uint64_t secure_random_bits();

// A random number in [0, 1), as backoff_delay wants one.
double random_share();

// "<prefix>-" + 12 lower-case letters and digits, e.g. new_id("job").
std::string new_id(std::string_view prefix, const RandomBits& random = secure_random_bits);

}  // namespace prefixmem
