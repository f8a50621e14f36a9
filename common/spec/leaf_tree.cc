#include "common/spec/leaf_tree.h"

namespace prefixmem::spec {
namespace {

Tree from_yaml(const std::string& yaml) {
  auto tree = parse_tree(yaml);
  return tree.ok() ? std::move(tree).value() : Tree::text(yaml);
}

}  // namespace

Tree leaf_tree(const std::string& value) { return Tree::text(value); }
Tree leaf_tree(int64_t value) { return Tree::plain(std::to_string(value)); }
Tree leaf_tree(double value) { return Tree::plain(number_text(value)); }
Tree leaf_tree(bool value) { return Tree::plain(value ? "true" : "false"); }

Tree leaf_tree(const TextList& value) {
  Tree list = Tree::list();
  for (const std::string& item : value) list.items.push_back(Tree::text(item));
  return list;
}

Tree leaf_tree(const TextMap& value) {
  Tree map = Tree::map();
  for (const auto& [key, item] : value) map.entries.push_back({key, Tree::text(item)});
  return map;
}

Tree leaf_tree(const YamlList& value) {
  Tree list = Tree::list();
  for (const std::string& yaml : value.items) list.items.push_back(from_yaml(yaml));
  return list;
}

Tree leaf_tree(const Seeds& value) {
  Tree list = Tree::list();
  for (const int64_t seed : value.values) list.items.push_back(leaf_tree(seed));
  return list;
}

Tree leaf_tree(const Grid& value) {
  Tree map = Tree::map();
  for (const auto& [key, values] : value) {
    map.entries.push_back({key, leaf_tree(YamlList{values})});
  }
  return map;
}

Tree leaf_tree(const Trials& value) {
  Tree list = Tree::list();
  for (const TextMap& trial : value) {
    Tree map = Tree::map();
    for (const auto& [key, yaml] : trial) map.entries.push_back({key, from_yaml(yaml)});
    list.items.push_back(std::move(map));
  }
  return list;
}

}  // namespace prefixmem::spec
