#include "common/spec/map_reader.h"

#include <algorithm>
#include <charconv>

#include "common/spec/suggest.h"
#include "common/spec/utf8.h"

namespace prefixmem::spec {
namespace {

constexpr size_t kShownOfMap = 80;

std::string value_text(const Tree* tree) {
  if (tree == nullptr) return "missing";
  if (tree->is_null()) return "empty";
  if (tree->is_map()) return "a map";
  if (tree->is_list()) return "a list";
  return '"' + shortened(tree->scalar, kShownOfMap) + '"';
}

std::optional<int64_t> number_of(const Tree& tree) {
  int64_t value = 0;
  const char* end = tree.scalar.data() + tree.scalar.size();
  const auto read = std::from_chars(tree.scalar.data(), end, value);
  const bool whole = tree.is_scalar() && read.ec == std::errc() && read.ptr == end && value >= 0;
  return whole ? std::optional(value) : std::nullopt;
}

}  // namespace

MapReader::MapReader(const Tree& map, std::string path) : map_(map), path_(std::move(path)) {
  if (map.is_map()) return;
  status_ = invalid_argument((path_.empty() ? "the file" : path_) + " is " + value_text(&map) +
                             "; allowed: a map of keys");
}

std::string MapReader::text(std::string_view key) {
  const Tree* tree = any(key);
  if (tree == nullptr) return "";
  if (tree->is_scalar() && !tree->scalar.empty()) return tree->scalar;
  fail(key, "text");
  return "";
}

std::string MapReader::required_text(std::string_view key) {
  std::string value = text(key);
  if (value.empty()) fail(key, "text");
  return value;
}

std::vector<std::string> MapReader::texts(std::string_view key) {
  std::vector<std::string> values;
  const Tree* tree = list(key);
  if (tree == nullptr) return values;
  for (const Tree& item : tree->items) {
    if (!item.is_scalar()) fail(key, "a list of text");
    values.push_back(item.scalar);
  }
  return values;
}

std::vector<std::pair<std::string, std::string>> MapReader::text_pairs(std::string_view key) {
  std::vector<std::pair<std::string, std::string>> pairs;
  const Tree* tree = map(key);
  if (tree == nullptr) return pairs;
  for (const Tree::Entry& entry : tree->entries) {
    if (!entry.value.is_scalar()) fail(key, "a map of text to text");
    pairs.emplace_back(entry.key, entry.value.scalar);
  }
  return pairs;
}

std::optional<int64_t> MapReader::number(std::string_view key) {
  const Tree* tree = any(key);
  if (tree == nullptr) return std::nullopt;
  const auto value = number_of(*tree);
  if (!value) fail(key, "a whole number of at least 0");
  return value;
}

std::vector<int64_t> MapReader::numbers(std::string_view key) {
  std::vector<int64_t> values;
  const Tree* tree = list(key);
  if (tree == nullptr) return values;
  for (const Tree& item : tree->items) {
    const auto value = number_of(item);
    if (!value) fail(key, "a list of whole numbers of at least 0");
    values.push_back(value.value_or(0));
  }
  return values;
}

const Tree* MapReader::map(std::string_view key) {
  const Tree* tree = any(key);
  if (tree == nullptr || tree->is_map()) return tree;
  fail(key, "a map of keys");
  return nullptr;
}

const Tree* MapReader::list(std::string_view key) {
  const Tree* tree = any(key);
  if (tree == nullptr || tree->is_list()) return tree;
  fail(key, "a list");
  return nullptr;
}

std::string MapReader::path_of(std::string_view key) const {
  return (path_.empty() ? "" : path_ + ".") + std::string(key);
}

void MapReader::fail(std::string_view key, const std::string& allowed) {
  if (!status_.ok()) return;
  status_ = invalid_argument(path_of(key) + " is " + value_text(map_.find(key)) +
                             "; allowed: " + allowed);
}

Status MapReader::finish() const {
  for (const Tree::Entry& entry : map_.entries) {
    if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
    return invalid_argument(path_of(shortened(entry.key, kShownOfMap)) + " is not a key; " +
                            suggestion(entry.key, known_));
  }
  return status_;
}

const Tree* MapReader::any(std::string_view key) {
  known_.push_back(key);
  return map_.find(key);
}

}  // namespace prefixmem::spec
