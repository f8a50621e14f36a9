#include "common/spec/kinds.h"
#include "common/spec/schema.h"
#include "common/spec/spec_tree.h"

namespace prefixmem::spec {
namespace {

// A value kept as YAML; what is no YAML (a spec made by hand) goes out as text.
Tree from_yaml(const std::string& yaml) {
  auto tree = parse_tree(yaml);
  return tree.ok() ? std::move(tree).value() : Tree::text(yaml);
}

template <class T>
Tree to_tree(T& value);

struct TreeWriter {
  Tree& map;

  template <class T>
  void field(std::string_view key, T& value, std::string_view, const Limit& = {}) {
    if constexpr (Optional<T>) {
      if (value) map.set(key, to_tree(*value));
    } else {
      map.set(key, to_tree(value));
    }
  }
};

template <class T>
Tree section_tree(Tree map, T& value) {
  TreeWriter writer{map};
  describe(writer, value);
  return map;
}

template <Union T>
Tree union_tree(T& value) {
  return std::visit(
      [](auto& alternative) {
        Tree map = Tree::map();
        map.set("type", Tree::text(alternative.kType));
        return section_tree(std::move(map), alternative);
      },
      value);
}

Tree text_list_tree(const TextList& value) {
  Tree list = Tree::list();
  for (const std::string& item : value) list.items.push_back(Tree::text(item));
  return list;
}

Tree text_map_tree(const TextMap& value) {
  Tree map = Tree::map();
  for (const auto& [key, item] : value) map.set(key, Tree::text(item));
  return map;
}

Tree grid_tree(const Grid& value) {
  Tree map = Tree::map();
  for (const auto& [key, values] : value) {
    Tree list = Tree::list();
    for (const std::string& yaml : values) list.items.push_back(from_yaml(yaml));
    map.set(key, std::move(list));
  }
  return map;
}

Tree trials_tree(const Trials& value) {
  Tree list = Tree::list();
  for (const TextMap& trial : value) {
    Tree map = Tree::map();
    for (const auto& [key, yaml] : trial) map.set(key, from_yaml(yaml));
    list.items.push_back(std::move(map));
  }
  return list;
}

template <class T>
Tree to_tree(T& value) {
  if constexpr (Union<T>) return union_tree(value);
  else if constexpr (Enumeration<T>) return Tree::text(std::string(spelling(value)));
  else if constexpr (std::same_as<T, std::string>) return Tree::text(value);
  else if constexpr (std::same_as<T, int64_t>) return Tree::plain(std::to_string(value));
  else if constexpr (std::same_as<T, double>) return Tree::plain(number_text(value));
  else if constexpr (std::same_as<T, bool>) return Tree::plain(value ? "true" : "false");
  else if constexpr (std::same_as<T, TextList>) return text_list_tree(value);
  else if constexpr (std::same_as<T, TextMap>) return text_map_tree(value);
  else if constexpr (std::same_as<T, Grid>) return grid_tree(value);
  else if constexpr (std::same_as<T, Trials>) return trials_tree(value);
  else return section_tree(Tree::map(), value);
}

}  // namespace

Tree write_tree(const JobSpec& spec) {
  JobSpec copy = spec;  // descriptions show members to readers too, so they are not const
  return to_tree(copy);
}

}  // namespace prefixmem::spec
