// A YAML document as plain values: the one form between text, Protobuf and the spec's structs.
//
// Only what a spec needs is read: maps with scalar keys, lists, scalars. Anchors, aliases,
// duplicate keys, nesting above kMaxDepth and texts above kMaxBytes are refused, so that a hostile
// text costs no more than its length.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace prefixmem::spec {

struct Tree {
  enum class Kind { kNull, kScalar, kList, kMap };
  struct Entry;

  Kind kind = Kind::kNull;
  std::string scalar;
  bool quoted = false;  // a quoted scalar is text, never a number, true or null
  std::vector<Tree> items;
  std::vector<Entry> entries;  // in the order written; keys are unique

  static Tree plain(std::string text);  // must be no empty text
  static Tree text(std::string text);   // quoted
  static Tree list();
  static Tree map();

  bool is_map() const { return kind == Kind::kMap; }
  bool is_list() const { return kind == Kind::kList; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_null() const { return kind == Kind::kNull; }

  // The value of a key of this map; null where there is none (or this is no map).
  const Tree* find(std::string_view key) const;
  Tree* find(std::string_view key);
  // Adds the entry or replaces its value.
  void set(std::string_view key, Tree value);

 private:
  static Tree of(Kind kind);
};

struct Tree::Entry {
  std::string key;
  Tree value;
};

inline constexpr size_t kMaxBytes = size_t{1} << 20;
inline constexpr int kMaxDepth = 32;

// The only document of `yaml`; an empty text is null. INVALID_ARGUMENT with line and column.
Result<Tree> parse_tree(std::string_view yaml);

// Block style: a map's keys each on a line, lists of scalars in brackets. parse_tree gives it back.
std::string print_tree(const Tree& tree);
// On one line, e.g. {type: lora, r: 8}.
std::string print_flow(const Tree& tree);

}  // namespace prefixmem::spec
