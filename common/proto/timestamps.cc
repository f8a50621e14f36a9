#include "common/proto/timestamps.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

namespace prefixmem {

google::protobuf::Timestamp to_timestamp(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(seconds.time_since_epoch().count());
  timestamp.set_nanos(static_cast<int32_t>((time - seconds).count() * 1'000'000));
  return timestamp;
}

google::protobuf::Timestamp bounded(google::protobuf::Timestamp timestamp) {
  constexpr int64_t kFirst = -62'135'596'800;
  constexpr int64_t kLast = 253'402'300'799;
  timestamp.set_seconds(std::clamp(timestamp.seconds(), kFirst, kLast));
  timestamp.set_nanos(std::clamp(timestamp.nanos(), 0, 999'999'999));
  return timestamp;
}

WallTime from_timestamp(const google::protobuf::Timestamp& timestamp) {
  const auto time = bounded(timestamp);
  return from_unix_millis(time.seconds() * 1000 + time.nanos() / 1'000'000);
}

std::string utc_text(WallTime time) {
  const auto seconds = static_cast<std::time_t>(to_timestamp(time).seconds());
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(seconds));
}

}  // namespace prefixmem
