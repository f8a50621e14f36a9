#include "common/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prefixmem {
namespace {

TEST(Log, WritesOneFormatFromTheLevelOn) {
  testing::internal::CaptureStderr();
  ASSERT_TRUE(set_up_log("agent", "warning").ok());
  spdlog::info("not shown");
  spdlog::warn("slots: {}", 4);
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(
      testing::Matcher<std::string>(
          testing::ContainsRegex("^[0-9-]{10}T[0-9:]{8}\\.[0-9]{3}Z warning agent: slots: 4\n$"))
          .Matches(text))
      << text;
}

TEST(Log, RefusesAnUnknownLevel) {
  EXPECT_EQ(set_up_log("agent", "loud").message(),
            "log level is loud; allowed: trace, debug, info, warning, error, off");
}

}  // namespace
}  // namespace prefixmem
