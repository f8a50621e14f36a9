#include "tests/fuzz/mutate.h"

#include <cstring>
#include <iterator>

namespace prefixmem::fuzz {
namespace {

constexpr uint64_t kLengths[] = {0,        1,          2,          0x7F,          0xFF,
                                 0xFFFF,   0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,    uint64_t{1} << 32,
                                 1u << 16, INT64_MAX,  UINT64_MAX, UINT64_MAX - 7};
constexpr const char* kDigits[] = {"0", "-1", "4294967296", "9223372036854775808", "1e400", "-0.0"};

}  // namespace

// splitmix64
uint64_t Mutator::below(uint64_t bound) {
  uint64_t z = state_ += 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return bound == 0 ? 0 : (z ^ (z >> 31)) % bound;
}

std::string Mutator::next(const std::vector<std::string>& seeds) {
  std::string text = seeds[below(seeds.size())];
  for (uint64_t left = 1 + below(4); left > 0; --left) change(text, seeds);
  return text;
}

void Mutator::change(std::string& text, const std::vector<std::string>& seeds) {
  const size_t at = below(text.size() + 1);
  const size_t run = below(64);
  switch (below(7)) {
    case 0:
      return text.resize(at);
    case 1:
      return text.insert(at, text.substr(at, run)), void();
    case 2:
      return text.erase(at, run), void();
    case 3:
      return splice(text, seeds[below(seeds.size())]);
    case 4:
      return write_length(text);
    case 5:
      return write_digits(text);
    default:
      return flip(text);
  }
}

void Mutator::flip(std::string& text) {
  if (text.empty()) return;
  char& byte = text[below(text.size())];
  byte = static_cast<char>(byte ^ (1 << below(8)));
}

void Mutator::splice(std::string& text, const std::string& other) {
  const size_t from = below(other.size() + 1);
  text.insert(below(text.size() + 1), other.substr(from, below(256)));
}

void Mutator::write_length(std::string& text) {
  const size_t width = below(2) == 0 ? 4 : 8;
  if (text.size() < width) return;
  const uint64_t value = kLengths[below(std::size(kLengths))];
  std::memcpy(text.data() + below(text.size() - width + 1), &value, width);
}

void Mutator::write_digits(std::string& text) {
  const size_t begin = text.find_first_of("0123456789", below(text.size() + 1));
  if (begin == std::string::npos) return;
  const size_t end = std::min(text.find_first_not_of("0123456789", begin), text.size());
  text.replace(begin, end - begin, kDigits[below(std::size(kDigits))]);
}

}  // namespace prefixmem::fuzz
