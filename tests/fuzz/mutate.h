// Damage as files suffer it, the same for the same seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace prefixmem::fuzz {

class Mutator {
 public:
  explicit Mutator(uint64_t seed) : state_(seed) {}

  // One of `seeds` after one to four changes: bits flipped, an end cut off, a run repeated or left
  // out, a piece of another seed, a number in binary or decimal replaced by an extreme one. At
  // least one seed.
  std::string next(const std::vector<std::string>& seeds);

 private:
  uint64_t below(uint64_t bound);  // 0 where bound is 0
  void change(std::string& text, const std::vector<std::string>& seeds);
  void flip(std::string& text);
  void splice(std::string& text, const std::string& other);
  void write_length(std::string& text);
  void write_digits(std::string& text);

  uint64_t state_;
};

}  // namespace prefixmem::fuzz
