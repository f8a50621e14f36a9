#include "client/render/numbers.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <ctime>

namespace prefixmem::client {
namespace {

constexpr const char* kUnknown = "-";

// Three figures of a number below 1000 (after rounding to three figures).
std::string three_figures(double value) {
  if (value < 9.995) return fmt::format("{:.2f}", value);
  if (value < 99.95) return fmt::format("{:.1f}", value);
  return fmt::format("{:.0f}", value);
}

struct Scaled {
  double value = 0;
  size_t unit = 0;
};

Scaled scale(double value, double base, size_t units) {
  Scaled scaled{value, 0};
  while (scaled.value >= 999.5 && scaled.unit + 1 < units) {
    scaled.value /= base;
    ++scaled.unit;
  }
  return scaled;
}

std::string format_time(WallTime time, const char* format) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  const size_t size = std::strftime(text, sizeof text, format, &parts);
  return {text, size};
}

}  // namespace

std::string short_count(double count) {
  static constexpr std::array kUnits = {"", "k", "M", "G", "T"};
  if (!std::isfinite(count) || count < 0) return kUnknown;
  if (count < 999.5 && count == std::floor(count)) return fmt::format("{:.0f}", count);
  const Scaled scaled = scale(count, 1000, kUnits.size());
  return three_figures(scaled.value) + kUnits[scaled.unit];
}

std::string short_bytes(int64_t bytes) {
  static constexpr std::array kUnits = {" B", " KiB", " MiB", " GiB", " TiB"};
  if (bytes < 0) return kUnknown;
  const Scaled scaled = scale(static_cast<double>(bytes), 1024, kUnits.size());
  return (scaled.unit == 0 ? fmt::format("{}", bytes) : three_figures(scaled.value)) +
         kUnits[scaled.unit];
}

std::string short_seconds(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return kUnknown;
  if (seconds < 9.995) return fmt::format("{:.2f}s", seconds);
  if (seconds < 59.95) return fmt::format("{:.1f}s", seconds);
  const int64_t all = std::llround(std::min(seconds, 1e15));
  if (all < 3600) return fmt::format("{}m{:02}s", all / 60, all % 60);
  if (all < 86400) return fmt::format("{}h{:02}m", all / 3600, all / 60 % 60);
  return fmt::format("{}d{:02}h", all / 86400, all / 3600 % 24);
}

std::string figures(double value) {
  return std::isfinite(value) ? fmt::format("{:.4g}", value) : fmt::format("{}", value);
}

std::string percent(double share) {
  return std::isfinite(share) ? fmt::format("{:.1f}%", share * 100) : kUnknown;
}

std::string score(std::string_view metric, double value) {
  return metric == "loss" ? figures(value) : percent(value);
}

std::string whole(int64_t number) {
  std::string digits = fmt::format("{}", number);
  const size_t first = number < 0 ? 1 : 0;
  for (size_t i = digits.size(); i > first + 3;) digits.insert(i -= 3, 1, ',');
  return digits;
}

std::string date_and_time(WallTime time) { return format_time(time, "%Y-%m-%d %H:%M:%S"); }
std::string time_of_day(WallTime time) { return format_time(time, "%H:%M:%S"); }

}  // namespace prefixmem::client
