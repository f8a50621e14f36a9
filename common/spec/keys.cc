#include "common/spec/keys.h"

#include "common/spec/kinds.h"
#include "common/spec/leaf_tree.h"
#include "common/spec/schema.h"

namespace prefixmem::spec {
namespace {

class KeyLister {
 public:
  KeyLister(std::string prefix, std::string union_type, std::vector<KeyInfo>& keys)
      : prefix_(std::move(prefix)), union_type_(std::move(union_type)), keys_(keys) {}

  template <class T>
  void field(std::string_view key, T& value, std::string_view doc, const Limit& limit = {}) {
    KeyInfo info{prefix_ + std::string(key), union_type_, allowed_text<T>(limit), "",
                 std::string(doc)};
    if (limit.required) info.required = "required";
    if (!limit.unless.empty()) info.required += " " + std::string(limit.unless);
    if constexpr (Optional<T>) {
      info.optional = true;
      typename T::value_type inner{};
      list(std::move(info), inner);
    } else {
      list(std::move(info), value);
    }
  }

 private:
  template <class T>
  void list(KeyInfo info, T& value) {
    const std::string prefix = info.path + ".";
    info.section = Section<T> || Union<T>;
    if constexpr (Leaf<T>) {
      if (!info.optional) info.fallback = print_flow(leaf_tree(value));
    }
    if constexpr (UnionMap<T>) info.fallback = "{}";
    if constexpr (Union<T>) {
      info.fallback = std::visit([](const auto& alternative) { return alternative.kType; }, value);
    }
    keys_.push_back(std::move(info));
    if constexpr (Union<T>) {
      list_alternatives(prefix, value);
    } else if constexpr (UnionMap<T>) {
      typename T::mapped_type any{};
      list_alternatives(prefix + "<key>.", any);
    } else if constexpr (Section<T>) {
      KeyLister lister(prefix, "", keys_);
      describe(lister, value);
    }
  }

  template <Union T>
  void list_alternatives(const std::string& prefix, T& value) {
    for_each_alternative(&value, [&](auto alternative) {
      KeyLister lister(prefix, alternative.kType, keys_);
      describe(lister, alternative);
    });
  }

  const std::string prefix_;
  const std::string union_type_;
  std::vector<KeyInfo>& keys_;
};

}  // namespace

std::vector<KeyInfo> schema_keys() {
  std::vector<KeyInfo> keys;
  KeyLister lister("", "", keys);
  JobSpec spec;
  describe(lister, spec);
  return keys;
}

}  // namespace prefixmem::spec
