// Times in Protobuf messages, to the millisecond.
#pragma once

#include <google/protobuf/timestamp.pb.h>

#include <string>

#include "common/clock.h"

namespace prefixmem {

google::protobuf::Timestamp to_timestamp(WallTime time);
// Rounds down to a whole millisecond.
WallTime from_timestamp(const google::protobuf::Timestamp& timestamp);

// "2026-01-31T12:00:00Z"
std::string utc_text(WallTime time);

}  // namespace prefixmem
