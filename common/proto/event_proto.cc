#include "common/proto/event_proto.h"

#include <google/protobuf/descriptor.h>

#include "common/event/event_json.h"
#include "common/spec/utf8.h"

namespace prefixmem {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Visitors of describe_event on the message of one event.
class Writer {
 public:
  explicit Writer(Message& message) : message_(message) {}

  void field(const char* key, int64_t& v) { reflection().SetInt64(&message_, find(key), v); }
  void field(const char* key, int& v) { reflection().SetInt32(&message_, find(key), v); }
  void field(const char* key, double& v) { reflection().SetDouble(&message_, find(key), v); }
  void field(const char* key, std::string& v) { reflection().SetString(&message_, find(key), v); }
  template <class E>
  void choice(const char* key, E& value) {
    std::string name(event::kNames<E>[static_cast<size_t>(value)]);
    field(key, name);
  }

 private:
  const google::protobuf::Reflection& reflection() { return *message_.GetReflection(); }
  const FieldDescriptor* find(const char* key) {
    return message_.GetDescriptor()->FindFieldByName(key);
  }
  Message& message_;
};

class Reader {
 public:
  explicit Reader(const Message& message) : message_(message) {}

  void field(const char* key, int64_t& v) { v = reflection().GetInt64(message_, find(key)); }
  void field(const char* key, int& v) { v = reflection().GetInt32(message_, find(key)); }
  void field(const char* key, double& v) { v = reflection().GetDouble(message_, find(key)); }
  void field(const char* key, std::string& v) { v = reflection().GetString(message_, find(key)); }
  template <class E>
  void choice(const char* key, E& value) {
    std::string name;
    field(key, name);
    const auto& names = event::kNames<E>;
    const auto at = std::find(names.begin(), names.end(), name);
    if (at != names.end()) {
      value = static_cast<E>(at - names.begin());
    } else {
      status_ =
          invalid_argument("event " + message_.GetDescriptor()->name() + "." + key + " is \"" +
                           spec::shortened(name, 80) + "\"; allowed: " + event::all_names<E>());
    }
  }
  Status take() { return std::move(status_); }

 private:
  const google::protobuf::Reflection& reflection() { return *message_.GetReflection(); }
  const FieldDescriptor* find(const char* key) {
    return message_.GetDescriptor()->FindFieldByName(key);
  }
  const Message& message_;
  Status status_;
};

template <class E>
void read_as(const Message& body, const std::string& type, Result<Event>& result) {
  if (type != event::kType<E>) return;
  E value;
  Reader reader(body);
  event::describe_event(reader, value);
  const Status status = reader.take();
  result = status.ok() ? Result<Event>(Event(std::move(value))) : Result<Event>(status);
}

template <class... E>
Result<Event> read_any(const Message& body, const std::string& type, const std::variant<E...>*) {
  Result<Event> result = internal_error("event " + type + " has no description");
  (read_as<E>(body, type, result), ...);
  return result;
}

}  // namespace

v1::TrainerEvent event_to_proto(const Event& event) {
  v1::TrainerEvent message;
  std::visit(
      [&](auto value) {
        const auto* field = message.GetDescriptor()->FindFieldByName(event::kType<decltype(value)>);
        Writer writer(*message.GetReflection()->MutableMessage(&message, field));
        event::describe_event(writer, value);
      },
      event);
  return message;
}

Result<Event> event_from_proto(const v1::TrainerEvent& message) {
  const auto* oneof = message.GetDescriptor()->FindOneofByName("event");
  const auto& reflection = *message.GetReflection();
  const auto* field = reflection.GetOneofFieldDescriptor(message, oneof);
  if (field == nullptr) {
    return invalid_argument("event is empty; allowed: one of " + event::all_types());
  }
  return read_any(reflection.GetMessage(message, field), field->name(),
                  static_cast<Event*>(nullptr));
}

}  // namespace prefixmem
