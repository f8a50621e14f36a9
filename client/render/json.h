// Answers of the server as JSON, as message_json writes it and with its failures.
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
