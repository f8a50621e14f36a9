#include "common/event/event.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/event/event_json.h"
#include "common/spec/utf8.h"

namespace prefixmem {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using spec::shortened;

constexpr size_t kShown = 80;  // bytes of a wrong value that a sentence repeats
// Above what an event needs. Without a bound, a line of brackets would overflow the stack of what
// prints it.
constexpr int kMaxDepth = 8;

std::string printed(const json& value) {
  return shortened(value.dump(-1, ' ', false, json::error_handler_t::replace), kShown);
}

// Discarded where it is no JSON, or nested too deep.
json parsed(std::string_view line) {
  bool deep = false;
  json object = json::parse(
      line,
      [&deep](int depth, json::parse_event_t, json&) {
        deep = deep || depth > kMaxDepth;
        return !deep;
      },
      false);
  return deep ? json(json::value_t::discarded) : object;
}

// Visitors of describe_event (event_json.h). A double that JSON cannot say is text.
class Writer {
 public:
  void field(const char* key, const int64_t& value) { object_[key] = value; }
  void field(const char* key, const int& value) { object_[key] = value; }
  void field(const char* key, const std::string& value) { object_[key] = value; }
  void field(const char* key, const double& value) {
    if (std::isfinite(value)) {
      object_[key] = value;
    } else {
      object_[key] = std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
    }
  }
  template <class E>
  void choice(const char* key, const E& value) {
    object_[key] = event::kNames<E>[static_cast<size_t>(value)];
  }
  ordered_json take() { return std::move(object_); }

 private:
  ordered_json object_ = ordered_json::object();
};

class Reader {
 public:
  Reader(const json& object, std::string type) : object_(object), type_(std::move(type)) {}

  void field(const char* key, int64_t& value) { whole(key, value); }
  void field(const char* key, int& value) { whole(key, value); }
  void field(const char* key, std::string& value) {
    if (const json* found = find(key, "text", &json::is_string)) value = found->get<std::string>();
  }
  void field(const char* key, double& value) {
    if (const auto at = object_.find(key); at != object_.end() && at->is_string()) {
      if (const auto special = from_text(at->get<std::string>())) {
        value = *special;
        return;
      }
    }
    if (const json* found = find(key, "a number, nan, inf or -inf", &json::is_number)) {
      value = found->get<double>();
    }
  }
  template <class E>
  void choice(const char* key, E& value) {
    std::string name(event::kNames<E>[static_cast<size_t>(value)]);
    field(key, name);
    const auto& names = event::kNames<E>;
    const auto at = std::find(names.begin(), names.end(), name);
    if (at == names.end()) return fail(key, object_.at(key), event::all_names<E>());
    value = static_cast<E>(at - names.begin());
  }
  Status take() { return std::move(status_); }

 private:
  static std::optional<double> from_text(const std::string& text) {
    if (text == "nan") return std::numeric_limits<double>::quiet_NaN();
    if (text == "inf") return std::numeric_limits<double>::infinity();
    if (text == "-inf") return -std::numeric_limits<double>::infinity();
    return std::nullopt;
  }

  template <class T>
  void whole(const char* key, T& value) {
    const json* found = find(key, "a whole number", &json::is_number_integer);
    if (found == nullptr) return;
    const bool fits = found->is_number_unsigned() ? std::in_range<T>(found->get<uint64_t>())
                                                  : std::in_range<T>(found->get<int64_t>());
    if (!fits) {
      return fail(key, *found, "at most " + std::to_string(std::numeric_limits<T>::max()));
    }
    value = found->get<T>();
  }

  // Null where the key is absent (the default stays) or wrong (status_ says so).
  const json* find(const char* key, const char* allowed, bool (json::*is)() const noexcept) {
    const auto at = object_.find(key);
    if (at == object_.end()) return nullptr;
    if (((*at).*is)()) return &*at;
    fail(key, *at, allowed);
    return nullptr;
  }

  void fail(const char* key, const json& value, const std::string& allowed) {
    if (!status_.ok()) return;
    status_ = invalid_argument("event " + type_ + "." + key + " is " + printed(value) +
                               "; allowed: " + allowed);
  }

  const json& object_;
  const std::string type_;
  Status status_;
};

template <class E>
bool read_as(const std::string& type, const json& body, Result<Event>& result) {
  if (type != event::kType<E>) return false;
  if (!body.is_object()) {
    result = invalid_argument("event " + type + " is no object; allowed: an object of its keys");
    return true;
  }
  E value;
  Reader reader(body, type);
  event::describe_event(reader, value);
  const Status status = reader.take();
  result = status.ok() ? Result<Event>(Event(std::move(value))) : Result<Event>(status);
  return true;
}

template <class... E>
Result<Event> read_any(const std::string& type, const json& body, const std::variant<E...>*) {
  Result<Event> result = invalid_argument("event type is \"" + shortened(type, kShown) +
                                          "\"; allowed: " + event::all_types());
  (read_as<E>(type, body, result) || ...);
  return result;
}

constexpr const char* kTrial = "trial";

ordered_json to_json(const Event& event) {
  return std::visit(
      [](auto value) {
        Writer writer;
        event::describe_event(writer, value);
        return ordered_json{{event::kType<decltype(value)>, writer.take()}};
      },
      event);
}

std::string one_line(const ordered_json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Event> from_json(const json& object) {
  if (!object.is_object() || object.size() != 1) {
    return invalid_argument("event line is not a JSON object with one key, the event's type");
  }
  return read_any(object.begin().key(), object.begin().value(), static_cast<Event*>(nullptr));
}

// Takes the key `trial` out of the object.
Result<int> take_trial(json& object) {
  const auto at = object.is_object() ? object.find(kTrial) : object.end();
  if (at == object.end()) return TrialEvent::kWholeGang;
  if (!at->is_number_unsigned() || at->get<uint64_t>() > std::numeric_limits<int>::max()) {
    return invalid_argument(std::string("event ") + kTrial + " is " + printed(*at) +
                            "; allowed: a whole number of at least 0");
  }
  const int trial = at->get<int>();
  object.erase(at);
  return trial;
}

}  // namespace

std::string to_json_line(const Event& event) { return one_line(to_json(event)); }

std::string to_json_line(const TrialEvent& event) {
  ordered_json object = to_json(event.event);
  if (event.trial != TrialEvent::kWholeGang) object[kTrial] = event.trial;
  return one_line(object);
}

Result<Event> event_from_json(std::string_view line) { return from_json(parsed(line)); }

Result<TrialEvent> trial_event_from_json(std::string_view line) {
  json object = parsed(line);
  PM_ASSIGN(const int trial, take_trial(object));
  PM_ASSIGN(Event event, from_json(object));
  return TrialEvent{trial, std::move(event)};
}

}  // namespace prefixmem
