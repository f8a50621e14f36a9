#include "common/backoff.h"

#include <gtest/gtest.h>

namespace prefixmem {
namespace {

using std::chrono::milliseconds;

TEST(Backoff, DoublesUpToTheLongest) {
  const BackoffPolicy policy{milliseconds(100), milliseconds(1000), 2, 0};
  EXPECT_EQ(backoff_delay(policy, 0, 0), milliseconds(100));
  EXPECT_EQ(backoff_delay(policy, 1, 0), milliseconds(200));
  EXPECT_EQ(backoff_delay(policy, 3, 0.9), milliseconds(800));
  EXPECT_EQ(backoff_delay(policy, 4, 0), milliseconds(1000));
  EXPECT_EQ(backoff_delay(policy, 100000, 0), milliseconds(1000));
  EXPECT_EQ(backoff_delay(policy, -1, 0), milliseconds(100));
}

TEST(Backoff, JitterTakesAwayAtMostItsShare) {
  const BackoffPolicy policy{milliseconds(1000), milliseconds(1000), 2, 0.5};
  EXPECT_EQ(backoff_delay(policy, 0, 0), milliseconds(500));
  EXPECT_EQ(backoff_delay(policy, 0, 0.5), milliseconds(750));
  EXPECT_EQ(backoff_delay(policy, 0, 0.9999), milliseconds(1000));
}

}  // namespace
}  // namespace prefixmem
