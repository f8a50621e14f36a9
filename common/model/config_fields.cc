#include "common/model/config_fields.h"

#include <algorithm>
#include <cmath>

#include "common/model/strict_json.h"

namespace prefixmem {
namespace {

using nlohmann::json;
using Spellings = std::initializer_list<std::string_view>;

std::string listed(Spellings spellings) {
  std::string text;
  for (const auto spelling : spellings) text += (text.empty() ? "" : ", ") + std::string(spelling);
  return text;
}

std::optional<size_t> index_of(const json& value, Spellings allowed) {
  if (!value.is_string()) return std::nullopt;
  const auto* const found =
      std::find(allowed.begin(), allowed.end(), value.get_ref<const std::string&>());
  if (found == allowed.end()) return std::nullopt;
  return static_cast<size_t>(found - allowed.begin());
}

}  // namespace

bool ConfigFields::has(const std::string& key) const {
  const auto found = object_.find(key);
  return found != object_.end() && !found->is_null();
}

bool ConfigFields::is_null(const std::string& key) const {
  return object_.contains(key) && !has(key);
}

int64_t ConfigFields::size(const std::string& key, std::optional<int64_t> fallback, int64_t most,
                           int64_t least) {
  if (!has(key) && fallback) return *fallback;
  const bool whole = has(key) && object_[key].is_number_integer();
  const int64_t value = whole ? object_[key].get<int64_t>() : least - 1;
  if (value >= least && value <= most) return value;
  fail(key, "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  return 1;
}

double ConfigFields::number(const std::string& key, std::optional<double> fallback) {
  if (!has(key) && fallback) return *fallback;
  const double value = has(key) && object_[key].is_number() ? object_[key].get<double>() : 0;
  if (value > 0 && std::isfinite(value)) return value;
  fail(key, "a number above 0");
  return 1;
}

bool ConfigFields::flag(const std::string& key, bool fallback) {
  if (!has(key)) return fallback;
  if (object_[key].is_boolean()) return object_[key];
  fail(key, "true or false");
  return fallback;
}

size_t ConfigFields::choice(const std::string& key, Spellings allowed,
                            std::optional<size_t> fallback) {
  if (!has(key) && fallback) return *fallback;
  if (const auto index = has(key) ? index_of(object_[key], allowed) : std::nullopt) return *index;
  fail(key, listed(allowed));
  return 0;
}

std::vector<size_t> ConfigFields::choices(const std::string& key, Spellings allowed,
                                          int64_t count) {
  std::vector<size_t> chosen;
  if (!has(key)) return chosen;
  const json& list = object_[key];
  if (list.is_array() && static_cast<int64_t>(list.size()) == count) {
    for (const json& value : list) {
      if (const auto index = index_of(value, allowed)) chosen.push_back(*index);
    }
  }
  if (static_cast<int64_t>(chosen.size()) == count) return chosen;
  fail(key, "a list of " + std::to_string(count) + ", each one of " + listed(allowed));
  return {};
}

const json& ConfigFields::object(const std::string& key) {
  static const json kEmpty = json::object();
  if (!has(key)) return kEmpty;
  if (object_[key].is_object()) return object_[key];
  fail(key, "an object");
  return kEmpty;
}

void ConfigFields::absent(const std::string& key) {
  if (has(key)) fail(key, "null");
}

void ConfigFields::equal(const std::string& key, const json& only) {
  if (has(key) && object_[key] != only) fail(key, only.dump());
}

void ConfigFields::only_keys(Spellings allowed) {
  for (const auto& [key, value] : object_.items()) {
    if (std::find(allowed.begin(), allowed.end(), key) != allowed.end()) continue;
    keep(invalid_argument(path_ + key + " is not supported; allowed: " + listed(allowed)));
  }
}

void ConfigFields::fail(const std::string& key, const std::string& allowed) {
  const std::string value = has(key) ? " is " + shown(object_[key]) : " is missing";
  keep(invalid_argument(path_ + key + value + "; allowed: " + allowed));
}

void ConfigFields::keep(const Status& status) {
  if (status_.ok()) status_ = status;
}

}  // namespace prefixmem
