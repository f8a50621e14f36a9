// Times in Protobuf messages, to the millisecond.
#pragma once

#include <google/protobuf/timestamp.pb.h>

#include <string>

#include "common/clock.h"

namespace prefixmem {

google::protobuf::Timestamp to_timestamp(WallTime time);
// The nearest that Protobuf allows, of the years 1 to 9999: a peer's is any number.
google::protobuf::Timestamp bounded(google::protobuf::Timestamp timestamp);
// Of the bounded one; rounds down to a whole millisecond.
WallTime from_timestamp(const google::protobuf::Timestamp& timestamp);

// "2026-01-31T12:00:00Z"
std::string utc_text(WallTime time);

}  // namespace prefixmem
