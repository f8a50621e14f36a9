#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "common/spec/kinds.h"
#include "common/spec/schema.h"
#include "common/spec/spec_tree.h"
#include "common/spec/suggest.h"
#include "common/spec/utf8.h"

namespace prefixmem::spec {
namespace {

constexpr size_t kShownBytes = 80;

std::string join(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : path + "." + std::string(key);
}

std::string join(const std::string& path, size_t index) {
  return path + "[" + std::to_string(index) + "]";
}

// A value as an error shows it.
std::string shown(const Tree& tree) {
  if (tree.is_null()) return "empty";
  if (tree.is_map()) return "a map";
  if (tree.is_list()) return "a list";
  if (tree.scalar.size() <= kShownBytes) return print_flow(tree);
  return print_flow(Tree::text(shortened(tree.scalar, kShownBytes)));
}

Status refuse(const std::string& path, const Tree& tree, const std::string& allowed) {
  return invalid_argument((path.empty() ? "the spec" : path) + " is " + shown(tree) +
                          "; allowed: " + allowed);
}

bool parse_number(const std::string& text, auto& value) {
  const bool plus = text.starts_with('+') && !text.starts_with("+-");
  const char* begin = text.data() + (plus ? 1 : 0);
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(begin, end, value);
  return result.ec == std::errc() && result.ptr == end;
}

template <class T>
Status read_value(const Tree& tree, const std::string& path, const Limit& limit, T& value);

// The keys of one map.
class TreeReader {
 public:
  // `type` is the tag of the union that the map belongs to, empty for none.
  TreeReader(const Tree& map, std::string path, std::string type)
      : map_(map), path_(std::move(path)), type_(std::move(type)) {
    if (!type_.empty()) keys_.push_back("type");
  }

  template <class T>
  void field(std::string_view key, T& value, std::string_view, const Limit& limit = {}) {
    keys_.push_back(key);
    const Tree* tree = map_.find(key);
    if (tree != nullptr && status_.ok())
      status_ = read_value(*tree, join(path_, key), limit, value);
  }

  // After describe: the first failure. A misspelt key comes before a wrong value.
  Status finish() const {
    for (const auto& [key, value] : map_.entries) {
      if (std::find(keys_.begin(), keys_.end(), key) != keys_.end()) continue;
      return invalid_argument(join(path_, shortened(key, kShownBytes)) + " is not a key" +
                              (type_.empty() ? "" : " of " + type_) + "; " +
                              suggestion(key, keys_));
    }
    return status_;
  }

 private:
  const Tree& map_;
  const std::string path_;
  const std::string type_;
  std::vector<std::string_view> keys_;
  Status status_;
};

template <class T>
Status read_map(const Tree& tree, const std::string& path, const std::string& type, T& value) {
  TreeReader reader(tree, path, type);
  describe(reader, value);
  return reader.finish();
}

// A bare list is short for the alternative that has one: method: [prefix_memory, lora].
template <Union T>
Tree whole_union(const Tree& tree) {
  Tree whole = tree;
  for_each_alternative(static_cast<T*>(nullptr), [&]<class A>(const A&) {
    if constexpr (requires { A::kListKey; }) {
      whole = Tree::map();
      whole.set("type", Tree::text(A::kType));
      whole.set(A::kListKey, tree);
    }
  });
  return whole;
}

template <Union T>
Status read_union(const Tree& given, const std::string& path, T& value) {
  const Tree tree = given.is_list() ? whole_union<T>(given) : given;
  const Tree* tag = tree.is_map() ? tree.find("type") : &tree;
  const std::string tag_path = tree.is_map() ? path + ".type" : path;
  if (tag == nullptr) return invalid_argument(tag_path + " is missing; allowed: " + all_types<T>());
  Status status = refuse(tag_path, *tag, all_types<T>());
  if (!tag->is_scalar()) return status;
  for_each_alternative(&value, [&](auto alternative) {
    if (tag->scalar != alternative.kType) return;
    status = tree.is_map() ? read_map(tree, path, alternative.kType, alternative) : Status();
    value = std::move(alternative);
  });
  return status;
}

Status read_yaml_map(const Tree& tree, const std::string& path, TextMap& value) {
  value.clear();
  if (!tree.is_map()) return refuse(path, tree, "a map of dotted paths to values");
  for (const auto& [key, item] : tree.entries) value[key] = print_flow(item);
  return {};
}

Status read_grid(const Tree& tree, const std::string& path, Grid& value) {
  value.clear();
  for (const auto& [key, values] : tree.entries) {
    if (!values.is_list() || values.items.empty()) {
      return refuse(join(path, key), values, "a list of at least one value");
    }
    for (const Tree& item : values.items) value[key].push_back(print_flow(item));
  }
  return {};
}

Status read_trials(const Tree& tree, const std::string& path, Trials& value) {
  value.assign(tree.items.size(), {});
  for (size_t i = 0; i < tree.items.size(); ++i) {
    PM_TRY(read_yaml_map(tree.items[i], join(path, i), value[i]));
  }
  return {};
}

template <UnionList T>
Status read_union_list(const Tree& tree, const std::string& path, T& value) {
  value.assign(tree.items.size(), {});
  for (size_t i = 0; i < tree.items.size(); ++i) {
    PM_TRY(read_union(tree.items[i], join(path, i), value[i]));
  }
  return {};
}

Status read_yaml_list(const Tree& tree, YamlList& value) {
  value.items.clear();
  for (const Tree& item : tree.items) value.items.push_back(print_flow(item));
  return {};
}

constexpr int64_t kMostSeeds = 1000;

// False: neither distinct seeds nor a count of them.
bool read_seeds(const Tree& tree, Seeds& value) {
  value.values.clear();
  int64_t number = 0;
  const auto read = [&](const Tree& item) {
    return item.is_scalar() && !item.quoted && parse_number(item.scalar, number) && number >= 0;
  };
  if (!tree.is_list()) {
    if (!read(tree) || number < 1 || number > kMostSeeds) return false;
    for (int64_t seed = 0; seed < number; ++seed) value.values.push_back(seed);
    return true;
  }
  for (const Tree& item : tree.items) {
    if (!read(item)) return false;
    value.values.push_back(number);
  }
  const std::set<int64_t> distinct(value.values.begin(), value.values.end());
  return distinct.size() == value.values.size() &&
         value.values.size() <= static_cast<size_t>(kMostSeeds);
}

template <UnionMap T>
Status read_union_map(const Tree& tree, const std::string& path, T& value) {
  value.clear();
  for (const auto& [key, item] : tree.entries) {
    PM_TRY(read_union(item, join(path, shortened(key, kShownBytes)), value[key]));
  }
  return {};
}

// One entry may stand without its brackets.
Status read_text_list(const Tree& tree, const std::string& path, TextList& value) {
  value.clear();
  if (tree.is_scalar()) value.push_back(tree.scalar);
  for (const Tree& item : tree.items) {
    if (!item.is_scalar()) return refuse(join(path, value.size()), item, "text");
    value.push_back(item.scalar);
  }
  return {};
}

Status read_text_map(const Tree& tree, const std::string& path, TextMap& value) {
  value.clear();
  for (const auto& [key, item] : tree.entries) {
    if (!item.is_scalar()) return refuse(join(path, key), item, "text");
    value[key] = item.scalar;
  }
  return {};
}

// False: not a value of this kind, or out of its limit.
bool read_scalar(const Tree& tree, const Limit& limit, auto& value) {
  using T = std::remove_reference_t<decltype(value)>;
  if (!tree.is_scalar()) return false;
  if constexpr (Enumeration<T>) {
    const auto found = from_spelling<T>(tree.scalar);
    value = found.value_or(value);
    return found.has_value();
  } else if constexpr (std::same_as<T, std::string>) {
    value = tree.scalar;
    return limit.holds(std::string_view(value));
  } else if constexpr (std::same_as<T, bool>) {
    value = tree.scalar == "true";
    return !tree.quoted && (value || tree.scalar == "false");
  } else {
    return !tree.quoted && parse_number(tree.scalar, value) &&
           std::isfinite(static_cast<double>(value)) && limit.holds(static_cast<double>(value));
  }
}

template <class T>
Status read_value(const Tree& tree, const std::string& path, const Limit& limit, T& value) {
  const auto refused = [&] { return refuse(path, tree, allowed_text<T>(limit)); };
  if constexpr (Optional<T>) {
    value.reset();
    return tree.is_null() ? Status() : read_value(tree, path, limit, value.emplace());
  } else if constexpr (Union<T>) {
    return read_union(tree, path, value);
  } else if constexpr (std::same_as<T, TextList>) {
    return tree.is_list() || tree.is_scalar() ? read_text_list(tree, path, value) : refused();
  } else if constexpr (UnionList<T>) {
    return tree.is_list() ? read_union_list(tree, path, value) : refused();
  } else if constexpr (UnionMap<T>) {
    return tree.is_map() ? read_union_map(tree, path, value) : refused();
  } else if constexpr (std::same_as<T, YamlList>) {
    return tree.is_list() && !tree.items.empty() ? read_yaml_list(tree, value) : refused();
  } else if constexpr (std::same_as<T, Seeds>) {
    return read_seeds(tree, value) ? Status() : refused();
  } else if constexpr (std::same_as<T, TextMap>) {
    return tree.is_map() ? read_text_map(tree, path, value) : refused();
  } else if constexpr (std::same_as<T, Grid>) {
    return tree.is_map() ? read_grid(tree, path, value) : refused();
  } else if constexpr (std::same_as<T, Trials>) {
    return tree.is_list() ? read_trials(tree, path, value) : refused();
  } else if constexpr (Section<T>) {
    return tree.is_map() ? read_map(tree, path, "", value) : refused();
  } else {
    return read_scalar(tree, limit, value) ? Status() : refused();
  }
}

}  // namespace

Result<JobSpec> read_tree(const Tree& tree) {
  JobSpec spec;
  PM_TRY(read_value(tree, "", {}, spec));
  return spec;
}

}  // namespace prefixmem::spec
