#include "common/proto/timestamps.h"

namespace prefixmem {

google::protobuf::Timestamp to_timestamp(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(seconds.time_since_epoch().count());
  timestamp.set_nanos(static_cast<int32_t>((time - seconds).count() * 1'000'000));
  return timestamp;
}

WallTime from_timestamp(const google::protobuf::Timestamp& timestamp) {
  return from_unix_millis(timestamp.seconds() * 1000 + timestamp.nanos() / 1'000'000);
}

}  // namespace prefixmem
