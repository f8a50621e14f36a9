#include "common/spec/override.h"

#include <algorithm>

#include "common/spec/utf8.h"

namespace prefixmem::spec {
namespace {

Result<std::vector<std::string>> split_path(const std::string& path) {
  std::vector<std::string> keys = {""};
  for (const char c : path) {
    if (c == '.') {
      keys.emplace_back();
    } else {
      keys.back() += c;
    }
  }
  if (std::find(keys.begin(), keys.end(), "") == keys.end()) return keys;
  return invalid_argument("path \"" + path +
                          "\" has an empty part; allowed: keys with dots between");
}

// Another tag makes the rest of the block meaningless, so the block starts anew.
void set_key(Tree& map, const std::string& key, Tree value) {
  const Tree* present = map.find(key);
  if (key == "type" && present != nullptr && present->scalar != value.scalar) map = Tree::map();
  map.set(key, std::move(value));
}

// The block at `key`, made where there is none; null where a list stands.
Tree* enter_block(Tree& map, const std::string& key) {
  Tree* next = map.find(key);
  if (next == nullptr || next->is_null()) {
    map.set(key, Tree::map());
    next = map.find(key);
  }
  if (next->is_scalar()) {  // a union that stands as its tag alone
    Tree block = Tree::map();
    block.set("type", *next);
    *next = std::move(block);
  }
  return next->is_map() ? next : nullptr;
}

bool other_type(const Tree& a, const Tree& b) {
  const Tree* of_a = a.find("type");
  const Tree* of_b = b.find("type");
  return of_a != nullptr && of_b != nullptr && of_a->scalar != of_b->scalar;
}

// `map` is the one that holds the key `benchmark`.
void apply_benchmark(Tree block, Tree& map) {
  Tree over = Tree::map();
  for (Tree::Entry& entry : block.entries) {
    over.set(entry.key == "name" ? "benchmark" : entry.key, std::move(entry.value));
  }
  fill_in(map, over);
  map = std::move(over);
}

}  // namespace

void fill_in(const Tree& defaults, Tree& tree) {
  if (!tree.is_map() || !defaults.is_map() || other_type(tree, defaults)) return;
  for (const Tree::Entry& entry : defaults.entries) {
    Tree* given = tree.find(entry.key);
    if (given == nullptr) {
      tree.set(entry.key, entry.value);
    } else {
      fill_in(entry.value, *given);
    }
  }
}

Status apply_override(const Override& override, Tree& tree) {
  PM_ASSIGN(const auto keys, split_path(override.path));
  auto value = parse_tree(override.yaml);
  if (!value.ok()) return value.status().with_context(shortened(override.path, 80));
  Tree* map = &tree;
  for (size_t i = 0; i + 1 < keys.size(); ++i) {
    map = enter_block(*map, keys[i]);
    if (map == nullptr) {
      return invalid_argument(override.path + " is not a key; " + keys[i] + " is a list");
    }
  }
  const bool in_place = keys.size() == 1 || (keys.size() == 2 && keys.front() == "eval");
  if (in_place && keys.back() == "benchmark" && value->is_map()) {
    apply_benchmark(std::move(value).value(), *map);
  } else {
    set_key(*map, keys.back(), std::move(value).value());
  }
  return {};
}

}  // namespace prefixmem::spec
