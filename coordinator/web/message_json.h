// Messages of the API as JSON, for scripts of pages.
#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "common/status.h"

namespace prefixmem::web {

// On one line: Protobuf's own mapping with the field names of the .proto files and every field
// written out, but absent messages and optional ones; 64-bit numbers are strings.
Result<std::string> message_json(const google::protobuf::Message& message);

}  // namespace prefixmem::web
