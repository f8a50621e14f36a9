#include "common/spec/duration.h"

#include <array>
#include <charconv>
#include <system_error>

namespace prefixmem::spec {
namespace {

struct Unit {
  char name;
  int64_t seconds;
};
constexpr std::array kUnits = {Unit{'d', 86400}, Unit{'h', 3600}, Unit{'m', 60}, Unit{'s', 1}};
constexpr int64_t kMostSeconds = int64_t{366} * 86400;

}  // namespace

std::optional<Millis> parse_duration(std::string_view text) {
  int64_t seconds = 0;
  auto unit = kUnits.begin();
  while (!text.empty()) {
    uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end == text.data() + text.size()) return std::nullopt;
    while (unit != kUnits.end() && unit->name != *end) ++unit;
    if (unit == kUnits.end()) return std::nullopt;
    seconds += int64_t{number} * unit->seconds;
    ++unit;
    text.remove_prefix(static_cast<size_t>(end - text.data()) + 1);
  }
  if (seconds < 1 || seconds > kMostSeconds) return std::nullopt;
  return Millis(seconds * 1000);
}

Limit duration_text() {
  return {.accepts = [](std::string_view text) { return parse_duration(text).has_value(); },
          .text = kDurationText};
}

}  // namespace prefixmem::spec
