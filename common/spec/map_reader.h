// Reads a map of a configuration file, key by key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/spec/tree.h"
#include "common/status.h"

namespace prefixmem::spec {

// Gives the values of keys and remembers the first failure, which `finish` returns:
// INVALID_ARGUMENT with the key's path, its value and what is allowed. A key that was not asked for
// is a failure.
class MapReader {
 public:
  // `map` must outlive the reader; what is no map is a failure.
  MapReader(const Tree& map, std::string path);

  // Empty where the key is absent.
  std::string text(std::string_view key);
  std::string required_text(std::string_view key);
  std::vector<std::string> texts(std::string_view key);
  std::vector<std::pair<std::string, std::string>> text_pairs(std::string_view key);
  std::optional<int64_t> number(std::string_view key);  // at least 0
  std::vector<int64_t> numbers(std::string_view key);   // likewise
  // Null where the key is absent.
  const Tree* map(std::string_view key);
  const Tree* list(std::string_view key);
  const Tree* any(std::string_view key);

  std::string path_of(std::string_view key) const;
  void fail(std::string_view key, const std::string& allowed);
  Status finish() const;

 private:
  const Tree& map_;
  const std::string path_;
  std::vector<std::string_view> known_;
  Status status_;
};

}  // namespace prefixmem::spec
