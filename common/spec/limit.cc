#include "common/spec/limit.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace prefixmem::spec {

std::string Limit::range() const {
  std::string text;
  const auto add = [&](std::string_view words, double bound) {
    text += (text.empty() ? " " : " and ") + std::string(words) + number_text(bound);
  };
  if (least) add("of at least ", *least);
  if (above) add("above ", *above);
  if (most) add("at most ", *most);
  if (below) add("below ", *below);
  return text;
}

bool is_name(std::string_view text) {
  constexpr std::string_view kFirst = "abcdefghijklmnopqrstuvwxyz0123456789";
  constexpr std::string_view kRest = "abcdefghijklmnopqrstuvwxyz0123456789._-";
  if (text.empty() || text.size() > 63) return false;
  return kFirst.find(text.front()) != kFirst.npos && text.find_first_not_of(kRest) == text.npos;
}

std::string number_text(double value) {
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.begin(), buffer.end(), value);
  return {buffer.begin(), end.ptr};
}

}  // namespace prefixmem::spec
