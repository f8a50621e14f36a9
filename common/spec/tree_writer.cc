#include "common/spec/kinds.h"
#include "common/spec/leaf_tree.h"
#include "common/spec/schema.h"
#include "common/spec/spec_tree.h"

namespace prefixmem::spec {
namespace {

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

template <UnionList T>
Tree union_list_tree(T& value) {
  Tree list = Tree::list();
  for (auto& item : value) list.items.push_back(union_tree(item));
  return list;
}

template <UnionMap T>
Tree union_map_tree(T& value) {
  Tree map = Tree::map();
  for (auto& [key, item] : value) map.set(key, union_tree(item));
  return map;
}

template <class T>
Tree to_tree(T& value) {
  if constexpr (Union<T>)
    return union_tree(value);
  else if constexpr (Leaf<T>)
    return leaf_tree(value);
  else if constexpr (UnionList<T>)
    return union_list_tree(value);
  else if constexpr (UnionMap<T>)
    return union_map_tree(value);
  else
    return section_tree(Tree::map(), value);
}

}  // namespace

Tree write_tree(const JobSpec& spec) {
  JobSpec copy = spec;  // descriptions show members to readers too, so they are not const
  return to_tree(copy);
}

}  // namespace prefixmem::spec
