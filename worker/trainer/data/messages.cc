#include "worker/trainer/data/messages.h"

namespace prefixmem::trainer {
namespace {

Status no_key(const std::string& where, const std::string& key) {
  return invalid_argument(where + " has no key \"" + key + "\"");
}

std::string a_type(const Json& value) {
  const std::string type = value.type_name();
  return (type == "array" || type == "object" ? "an " : "a ") + type;
}

std::string named(const Field& field) { return field.where + ": \"" + field.column + "\""; }

Status check_message(const Json& message, const std::string& where) {
  if (!message.is_object()) {
    return invalid_argument(where + ": a message is " + a_type(message) +
                            "; allowed: an object with role and content");
  }
  for (const std::string key : {"role", "content"}) {
    const auto found = message.find(key);
    if (found == message.end()) return no_key(where, key);
    if (found->is_string()) continue;
    return invalid_argument(where + ": \"" + key + "\" is " + a_type(*found) +
                            "; allowed: a string");
  }
  return {};
}

}  // namespace

Result<std::string> text_of(const Field& field) {
  if (!field.value) return no_key(field.where, field.column);
  if (field.value->is_string()) return field.value->get<std::string>();
  return invalid_argument(named(field) + " is " + a_type(*field.value) + "; allowed: a string");
}

Result<Json> messages_of(const Field& field) {
  if (!field.value) return no_key(field.where, field.column);
  Json messages = *field.value;
  if (messages.is_string()) {
    PM_ASSIGN(messages, parse_json(messages.get_ref<const std::string&>(), named(field)));
  }
  if (!messages.is_array() || messages.empty()) {
    return invalid_argument(named(field) + " is not a list with at least one message");
  }
  for (const Json& message : messages) PM_TRY(check_message(message, field.where));
  return messages;
}

Status check_answer(const Json& messages, const Field& field) {
  const auto& role = messages.back()["role"].get_ref<const std::string&>();
  if (role == "assistant") return {};
  return invalid_argument(named(field) + ": the last message's role is \"" + role +
                          "\"; allowed: assistant, whose words are what is learned");
}

}  // namespace prefixmem::trainer
