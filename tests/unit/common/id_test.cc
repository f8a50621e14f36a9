#include "common/id.h"

#include <gtest/gtest.h>

#include <set>

namespace prefixmem {
namespace {

TEST(NewId, IsTheInjectedBitsInBase36) {
  EXPECT_EQ(new_id("job", [] { return uint64_t{0}; }), "job-aaaaaaaaaaaa");
  EXPECT_EQ(new_id("job", [] { return uint64_t{1 + 36 * 35}; }), "job-b9aaaaaaaaaa");
}

TEST(NewId, DoesNotRepeat) {
  std::set<std::string> ids;
  for (int i = 0; i < 10000; ++i) ids.insert(new_id("w"));
  EXPECT_EQ(ids.size(), 10000u);
  for (const std::string& id : ids) {
    ASSERT_EQ(id.size(), 14u);
    ASSERT_EQ(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789", 2), std::string::npos);
  }
}

}  // namespace
}  // namespace prefixmem
