// Reads a map of a registry's file, key by key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/spec/tree.h"
#include "common/status.h"

namespace prefixmem::client {

// Gives the values of keys and remembers the first failure, which `finish` returns:
// INVALID_ARGUMENT with the key's path, its value and what is allowed. A key that was not asked for
// is a failure.
class MapReader {
 public:
  // `map` must outlive the reader; what is no map is a failure.
  MapReader(const spec::Tree& map, std::string path);

  // Empty where the key is absent.
  std::string text(std::string_view key);
  std::string required_text(std::string_view key);
  std::vector<std::string> texts(std::string_view key);
  std::vector<std::pair<std::string, std::string>> text_pairs(std::string_view key);
  std::optional<int64_t> number(std::string_view key);  // at least 0
  std::vector<int64_t> numbers(std::string_view key);   // likewise
  // Null where the key is absent.
  const spec::Tree* map(std::string_view key);
  const spec::Tree* list(std::string_view key);
  const spec::Tree* any(std::string_view key);

  std::string path_of(std::string_view key) const;
  void fail(std::string_view key, const std::string& allowed);
  Status finish() const;

 private:
  const spec::Tree& map_;
  const std::string path_;
  std::vector<std::string_view> known_;
  Status status_;
};

}  // namespace prefixmem::client
