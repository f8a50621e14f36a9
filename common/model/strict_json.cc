#include "common/model/strict_json.h"

#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace prefixmem {
namespace {

using nlohmann::json;
constexpr size_t kLongestShown = 80;

// Thrown out of the parser's callback, which has no other way to stop it.
class Refusal : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Sees every event of the parser; `depth` is that of the enclosing object or array.
class Strictness {
 public:
  explicit Strictness(int max_depth) : max_depth_(max_depth) {}

  void see(int depth, json::parse_event_t event, const json& value) {
    if (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start) {
      if (depth >= max_depth_) throw Refusal("it is nested too deeply");
      keys_.resize(static_cast<size_t>(depth) + 1);
      keys_.back().clear();
    } else if (event == json::parse_event_t::key) {
      const auto& key = value.get_ref<const std::string&>();
      if (!keys_.back().insert(key).second) throw Refusal("it holds " + shown(value) + " twice");
    } else if (event == json::parse_event_t::object_end ||
               event == json::parse_event_t::array_end) {
      keys_.pop_back();
    }
  }

 private:
  const int max_depth_;
  std::vector<std::set<std::string>> keys_;  // of each object that is open
};

}  // namespace

Result<json> parse_strict_json(std::string_view text, int max_depth) {
  Strictness strictness(max_depth);
  const auto see = [&](int depth, json::parse_event_t event, json& value) {
    strictness.see(depth, event, value);
    return true;
  };
  try {
    json value = json::parse(text, see);
    if (!value.is_object()) return data_loss("it is no JSON object but " + shown(value));
    return value;
  } catch (const Refusal& refusal) {
    return data_loss(refusal.what());
  } catch (const json::parse_error& error) {
    return data_loss("it is no valid JSON from byte " + std::to_string(error.byte) + " on");
  } catch (const json::exception&) {
    return data_loss("it holds a number that is out of range");
  }
}

std::string shown(const json& value) {
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > kLongestShown) text = text.substr(0, kLongestShown) + "…";
  return text;
}

}  // namespace prefixmem
