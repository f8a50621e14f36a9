#include "common/clock.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/version.h"

namespace prefixmem {
namespace {

TEST(FakeClock, MovesOnlyWhenTold) {
  FakeClock clock;
  const WallTime wall = clock.wall();
  const MonotonicTime monotonic = clock.monotonic();
  EXPECT_EQ(to_unix_millis(wall), 1767225600000);
  clock.advance(Millis(1500));
  EXPECT_EQ(clock.wall() - wall, Millis(1500));
  EXPECT_EQ(clock.monotonic() - monotonic, Millis(1500));
  EXPECT_DOUBLE_EQ(to_seconds(clock.wall() - wall), 1.5);
}

TEST(FakeClock, AJumpOfTheWallClockLeavesTheMonotonicOneAlone) {
  FakeClock clock;
  const MonotonicTime before = clock.monotonic();
  clock.set_wall(from_unix_millis(5));
  EXPECT_EQ(to_unix_millis(clock.wall()), 5);
  EXPECT_EQ(clock.monotonic(), before);
}

TEST(RealClock, GoesOn) {
  const Clock& clock = real_clock();
  const MonotonicTime before = clock.monotonic();
  EXPECT_GE(clock.monotonic(), before);
  EXPECT_GT(to_unix_millis(clock.wall()), 1767225600000 - 365 * 86400000LL);
}

TEST(Version, HasThreeParts) { EXPECT_EQ(std::count(version().begin(), version().end(), '.'), 2); }

}  // namespace
}  // namespace prefixmem
