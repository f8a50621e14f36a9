#include "common/id.h"

#include <sys/random.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>

namespace prefixmem {
namespace {

constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr int kLetters = 12;  // 36^12 < 2^63

}  // namespace

uint64_t secure_random_bits() {
  uint64_t bits = 0;
  // Reads of up to 256 bytes are never partial; only a signal before the pool is ready interrupts.
  while (getrandom(&bits, sizeof bits, 0) != sizeof bits) {
    if (errno != EINTR) std::abort();
  }
  return bits;
}

double random_share() { return std::ldexp(static_cast<double>(secure_random_bits() >> 11), -53); }

std::string new_id(std::string_view prefix, const RandomBits& random) {
  std::string id(prefix);
  id += '-';
  uint64_t bits = random();
  for (int i = 0; i < kLetters; ++i, bits /= kAlphabet.size()) {
    id += kAlphabet[bits % kAlphabet.size()];
  }
  return id;
}

}  // namespace prefixmem
