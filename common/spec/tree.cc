#include "common/spec/tree.h"

#include <algorithm>
#include <utility>

namespace prefixmem::spec {

Tree Tree::of(Kind kind) {
  Tree tree;
  tree.kind = kind;
  return tree;
}

Tree Tree::list() { return of(Kind::kList); }
Tree Tree::map() { return of(Kind::kMap); }

Tree Tree::plain(std::string text) {
  Tree tree = of(Kind::kScalar);
  tree.scalar = std::move(text);
  return tree;
}

Tree Tree::text(std::string text) {
  Tree tree = plain(std::move(text));
  tree.quoted = true;
  return tree;
}

const Tree* Tree::find(std::string_view key) const {
  const auto at = std::find_if(entries.begin(), entries.end(),
                               [&](const auto& entry) { return entry.key == key; });
  return at == entries.end() ? nullptr : &at->value;
}

Tree* Tree::find(std::string_view key) {
  return const_cast<Tree*>(static_cast<const Tree*>(this)->find(key));
}

void Tree::set(std::string_view key, Tree value) {
  if (Tree* present = find(key)) {
    *present = std::move(value);
  } else {
    entries.push_back({std::string(key), std::move(value)});
  }
}

}  // namespace prefixmem::spec
