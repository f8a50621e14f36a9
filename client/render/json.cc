#include "client/render/json.h"

#include <google/protobuf/util/json_util.h>

namespace prefixmem::client {
namespace {

Result<std::string> to_json(const google::protobuf::Message& message, bool over_lines) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = over_lines;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(message, &text, options);
  if (!status.ok()) {
    return internal_error("the server's " + message.GetTypeName() +
                          " cannot be written as JSON: " + status.ToString());
  }
  return text.ends_with('\n') ? text : text + "\n";
}

}  // namespace

Result<std::string> json_document(const google::protobuf::Message& message) {
  return to_json(message, true);
}

Result<std::string> json_line(const google::protobuf::Message& message) {
  return to_json(message, false);
}

}  // namespace prefixmem::client
