// Times in Protobuf messages, to the millisecond.
#pragma once

#include <google/protobuf/timestamp.pb.h>

#include "common/clock.h"

namespace prefixmem {

google::protobuf::Timestamp to_timestamp(WallTime time);
// Rounds down to a whole millisecond.
WallTime from_timestamp(const google::protobuf::Timestamp& timestamp);

}  // namespace prefixmem
