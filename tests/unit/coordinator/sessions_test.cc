#include "coordinator/web/sessions.h"

#include <gtest/gtest.h>

namespace prefixmem::web {
namespace {

TEST(Sessions, LastTheirTime) {
  FakeClock clock;
  Sessions sessions(clock);
  const auto secret = sessions.begin("digest");
  ASSERT_TRUE(secret.ok());
  EXPECT_EQ(secret->size(), 64u);
  clock.advance(Sessions::kLife - Millis(1));
  ASSERT_TRUE(sessions.find(*secret));
  EXPECT_EQ(sessions.find(*secret)->token_digest, "digest");
  clock.advance(Millis(1));
  EXPECT_FALSE(sessions.find(*secret));
}

TEST(Sessions, NoTwoAreAlikeAndOneEndsAlone) {
  const FakeClock clock;
  Sessions sessions(clock);
  const auto first = sessions.begin("digest"), second = sessions.begin("digest");
  EXPECT_NE(*first, *second);
  EXPECT_NE(sessions.find(*first)->csrf, sessions.find(*second)->csrf);
  sessions.end(*first);
  EXPECT_FALSE(sessions.find(*first));
  EXPECT_TRUE(sessions.find(*second));
  EXPECT_FALSE(sessions.find(""));
}

TEST(Sessions, ThereAreNotTooMany) {
  FakeClock clock;
  Sessions sessions(clock);
  for (size_t i = 0; i < Sessions::kMost; ++i) ASSERT_TRUE(sessions.begin("digest").ok());
  EXPECT_EQ(sessions.begin("digest").status().to_string(),
            "RESOURCE_EXHAUSTED: 10000 sessions are open; allowed: no more at once");
  clock.advance(Sessions::kLife);
  EXPECT_TRUE(sessions.begin("digest").ok());
}

}  // namespace
}  // namespace prefixmem::web
