#include "client/render/json.h"

#include "common/proto/message_json.h"

namespace prefixmem::client {
namespace {

Result<std::string> with_line_break(Result<std::string> json) {
  if (json.ok() && !json->ends_with('\n')) *json += '\n';
  return json;
}

}  // namespace

Result<std::string> json_document(const google::protobuf::Message& message) {
  return with_line_break(message_json(message, true));
}

Result<std::string> json_line(const google::protobuf::Message& message) {
  return with_line_break(message_json(message));
}

}  // namespace prefixmem::client
