#include "common/proto/timestamps.h"

#include <gtest/gtest.h>

#include <limits>

namespace prefixmem {
namespace {

TEST(Timestamps, KeepMilliseconds) {
  for (const int64_t millis : {int64_t{0}, int64_t{1}, int64_t{1767225600123}, int64_t{-1}}) {
    const auto timestamp = to_timestamp(from_unix_millis(millis));
    EXPECT_GE(timestamp.nanos(), 0);
    EXPECT_EQ(to_unix_millis(from_timestamp(timestamp)), millis);
  }
  const auto timestamp = to_timestamp(from_unix_millis(1500));
  EXPECT_EQ(timestamp.seconds(), 1);
  EXPECT_EQ(timestamp.nanos(), 500000000);
}

TEST(Timestamps, AsTextAreInUtcAndRoundDown) {
  EXPECT_EQ(utc_text(from_unix_millis(1767225600999)), "2026-01-01T00:00:00Z");
  EXPECT_EQ(utc_text(from_unix_millis(0)), "1970-01-01T00:00:00Z");
}

TEST(Timestamps, WhatProtobufDoesNotAllowIsBounded) {
  google::protobuf::Timestamp far;
  far.set_seconds(std::numeric_limits<int64_t>::max());
  far.set_nanos(std::numeric_limits<int32_t>::max());
  EXPECT_EQ(utc_text(from_timestamp(far)), "9999-12-31T23:59:59Z");
  far.set_seconds(std::numeric_limits<int64_t>::min());
  far.set_nanos(-1);
  EXPECT_EQ(bounded(far).seconds(), -62'135'596'800);
  EXPECT_EQ(bounded(far).nanos(), 0);
  const auto now = to_timestamp(from_unix_millis(1'800'000'000'123));
  EXPECT_EQ(bounded(now).seconds(), now.seconds());
  EXPECT_EQ(bounded(now).nanos(), now.nanos());
}

}  // namespace
}  // namespace prefixmem
