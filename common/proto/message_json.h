// Messages of the API as JSON: Protobuf's own mapping with the field names of the .proto files and
// every field written out, but absent messages and optional ones, so that keys are there whatever
// their value. 64-bit numbers are strings, as that mapping has it.
#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "common/status.h"

namespace prefixmem {

// On one line, or indented over several. INTERNAL for what the mapping cannot say (a time that no
// calendar has).
Result<std::string> message_json(const google::protobuf::Message& message, bool indented = false);

}  // namespace prefixmem
