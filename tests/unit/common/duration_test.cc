#include "common/spec/duration.h"

#include <gtest/gtest.h>

namespace prefixmem::spec {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(Duration, IsReadAsPeopleWriteIt) {
  EXPECT_EQ(parse_duration("1s"), seconds(1));
  EXPECT_EQ(parse_duration("90s"), seconds(90));
  EXPECT_EQ(parse_duration("45m"), minutes(45));
  EXPECT_EQ(parse_duration("1h30m"), minutes(90));
  EXPECT_EQ(parse_duration("2d1s"), hours(48) + seconds(1));
  EXPECT_EQ(parse_duration("1d2h3m4s"), hours(26) + minutes(3) + seconds(4));
  EXPECT_EQ(parse_duration("366d"), hours(366 * 24));
}

TEST(Duration, NothingElseIsOne) {
  for (const char* text :
       {"", "0s", "0d0s", "1", "s", "1h30", "30m1h", "1h1h", "-1s", "+1s", "1.5h", "1 s", "1s ",
        "1S", "1w", "366d1s", "4294967295d", "99999999999999999999s"}) {
    EXPECT_FALSE(parse_duration(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace prefixmem::spec
