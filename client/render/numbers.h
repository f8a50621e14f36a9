// Numbers and times as people read them. What is not known (not finite, or negative where that
// makes no sense) is "-".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/clock.h"

namespace prefixmem::client {

// Three figures and a unit of thousands: 999, 1.23k, 45.6M.
std::string short_count(double count);
// 0 B, 999 B, 1.50 KiB, 12.3 MiB.
std::string short_bytes(int64_t bytes);
// 0.42s, 12.3s, 2m05s, 3h07m, 4d06h.
std::string short_seconds(double seconds);
// Four figures: 1.234, 0.001234, 1.2e-05.
std::string figures(double value);
// A share of 1: 0.8312 is 83.1%.
std::string percent(double share);
// A score on held-out rows: a loss in figures, every other metric in percent.
std::string score(std::string_view metric, double value);
// With thousands apart: 1,234,567.
std::string whole(int64_t number);

// UTC: 2026-01-31 12:00:00.
std::string date_and_time(WallTime time);
// UTC: 12:00:00.
std::string time_of_day(WallTime time);

}  // namespace prefixmem::client
