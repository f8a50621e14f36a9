// Typed reading of a config.json, so that a family reads as a list of its settings.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace prefixmem {

// One object of a config. Keeps the first fault and goes on with defaults, so that the reader asks
// for the status once, at the end. null counts as absent. The object must outlive this.
class ConfigFields {
 public:
  // `path` stands before each key in a message, e.g. "rope_parameters.".
  explicit ConfigFields(const nlohmann::json& object, std::string path = "")
      : object_(object), path_(std::move(path)) {}

  bool has(const std::string& key) const;
  bool is_null(const std::string& key) const;  // given, but as null

  // Whole numbers from `least` to `most`. Without a default the key is required.
  int64_t size(const std::string& key, std::optional<int64_t> fallback = {},
               int64_t most = int64_t{1} << 31, int64_t least = 1);
  // Finite numbers above 0.
  double number(const std::string& key, std::optional<double> fallback = {});
  bool flag(const std::string& key, bool fallback);
  // The index of the value among the spellings allowed.
  size_t choice(const std::string& key, std::initializer_list<std::string_view> allowed,
                std::optional<size_t> fallback = {});
  // A list of one spelling for each of `count` things; [] where it is absent.
  std::vector<size_t> choices(const std::string& key,
                              std::initializer_list<std::string_view> allowed, int64_t count);
  // An object; empty where it is absent.
  const nlohmann::json& object(const std::string& key);

  // Settings that only one value of is supported.
  void absent(const std::string& key);
  void equal(const std::string& key, const nlohmann::json& only);
  // For objects all of whose keys must be understood.
  void only_keys(std::initializer_list<std::string_view> allowed);

  void fail(const std::string& key, const std::string& allowed);
  void keep(const Status& status);  // a fault found elsewhere
  Status status() const { return status_; }

 private:
  const nlohmann::json& object_;
  const std::string path_;
  Status status_;
};

}  // namespace prefixmem
