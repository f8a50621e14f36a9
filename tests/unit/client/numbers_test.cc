#include "client/render/numbers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace prefixmem::client {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Numbers, CountsHaveThreeFiguresAndAUnit) {
  EXPECT_EQ(short_count(0), "0");
  EXPECT_EQ(short_count(999), "999");
  EXPECT_EQ(short_count(12.34), "12.3");
  EXPECT_EQ(short_count(999.4), "999");
  EXPECT_EQ(short_count(999.6), "1.00k");
  EXPECT_EQ(short_count(1234), "1.23k");
  EXPECT_EQ(short_count(99960), "100k");
  EXPECT_EQ(short_count(45.6e6), "45.6M");
  EXPECT_EQ(short_count(5e15), "5000T");
  for (const double unknown : {kNaN, kInfinity, -1.0}) EXPECT_EQ(short_count(unknown), "-");
}

TEST(Numbers, BytesAreInPowersOf1024) {
  EXPECT_EQ(short_bytes(0), "0 B");
  EXPECT_EQ(short_bytes(999), "999 B");
  EXPECT_EQ(short_bytes(1536), "1.50 KiB");
  EXPECT_EQ(short_bytes(12900000), "12.3 MiB");
  EXPECT_EQ(short_bytes(-1), "-");
}

TEST(Numbers, SpansOfTimeHaveTwoUnitsAtMost) {
  EXPECT_EQ(short_seconds(0.42), "0.42s");
  EXPECT_EQ(short_seconds(12.34), "12.3s");
  EXPECT_EQ(short_seconds(59.97), "1m00s");
  EXPECT_EQ(short_seconds(125), "2m05s");
  EXPECT_EQ(short_seconds(3599.6), "1h00m");
  EXPECT_EQ(short_seconds(11220), "3h07m");
  EXPECT_EQ(short_seconds(4 * 86400 + 6 * 3600), "4d06h");
  for (const double unknown : {kNaN, kInfinity, -0.5}) EXPECT_EQ(short_seconds(unknown), "-");
}

TEST(Numbers, FiguresAndShares) {
  EXPECT_EQ(figures(1.23456), "1.235");
  EXPECT_EQ(figures(0.001), "0.001");
  EXPECT_EQ(figures(1.2e-5), "1.2e-05");
  EXPECT_EQ(figures(kNaN), "nan");
  EXPECT_EQ(percent(0.8312), "83.1%");
  EXPECT_EQ(percent(kNaN), "-");
  EXPECT_EQ(score("accuracy", 0.5), "50.0%");
  EXPECT_EQ(score("loss", 0.5), "0.5");
}

TEST(Numbers, WholeOnesHaveTheirThousandsApart) {
  EXPECT_EQ(whole(0), "0");
  EXPECT_EQ(whole(999), "999");
  EXPECT_EQ(whole(1000), "1,000");
  EXPECT_EQ(whole(-123456), "-123,456");
  EXPECT_EQ(whole(1234567), "1,234,567");
}

TEST(Numbers, TimesAreInUtc) {
  EXPECT_EQ(date_and_time(from_unix_millis(1767225605999)), "2026-01-01 00:00:05");
  EXPECT_EQ(time_of_day(from_unix_millis(1767225605999)), "00:00:05");
}

}  // namespace
}  // namespace prefixmem::client
