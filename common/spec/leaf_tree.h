// Values without keys of their own as Trees.
#pragma once

#include "common/spec/kinds.h"
#include "common/spec/tree.h"

namespace prefixmem::spec {

Tree leaf_tree(const std::string& value);
Tree leaf_tree(int64_t value);
Tree leaf_tree(double value);
Tree leaf_tree(bool value);
Tree leaf_tree(const TextList& value);
Tree leaf_tree(const TextMap& value);
// Values kept as YAML are parsed; what is no YAML (a spec made by hand) becomes text.
Tree leaf_tree(const Grid& value);
Tree leaf_tree(const Trials& value);
Tree leaf_tree(const YamlList& value);
Tree leaf_tree(const Seeds& value);

template <Enumeration E>
Tree leaf_tree(E value) {
  return Tree::text(std::string(spelling(value)));
}

}  // namespace prefixmem::spec
