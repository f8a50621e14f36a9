// Messages of the API as JSON: Protobuf's own mapping with the field names of the .proto files and
// every field written out, so that keys are there whatever their value. 64-bit numbers are strings,
// as that mapping has it. INTERNAL for what the mapping cannot say (a time that no calendar has).
#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "common/status.h"

namespace prefixmem::client {

// Over several lines, ending in a line break.
Result<std::string> json_document(const google::protobuf::Message& message);
// On one line, ending in a line break.
Result<std::string> json_line(const google::protobuf::Message& message);

}  // namespace prefixmem::client
