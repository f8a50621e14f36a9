#include "common/proto/message_json.h"

#include <google/protobuf/util/json_util.h>

namespace prefixmem {

Result<std::string> message_json(const google::protobuf::Message& message, bool indented) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = indented;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(message, &text, options);
  if (status.ok()) return text;
  return internal_error(message.GetTypeName() + " cannot be written as JSON: " + status.ToString());
}

}  // namespace prefixmem
