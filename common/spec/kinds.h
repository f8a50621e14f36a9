// The kinds of members that a description may show to a visitor, and their names for people.
#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "common/spec/enums.h"
#include "common/spec/limit.h"

namespace prefixmem::spec {

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <class T>
struct IsUnion : std::false_type {};
template <class... T>
struct IsUnion<std::variant<T...>> : std::true_type {};

// A list of unions, e.g. of methods.
template <class T>
struct IsUnionList : std::false_type {};
template <class... T>
struct IsUnionList<std::vector<std::variant<T...>>> : std::true_type {};

// A map of unions, e.g. of domains.
template <class T>
struct IsUnionMap : std::false_type {};
template <class... T>
struct IsUnionMap<std::map<std::string, std::variant<T...>>> : std::true_type {};

using TextList = std::vector<std::string>;
using TextMap = std::map<std::string, std::string>;
using Grid = std::map<std::string, std::vector<std::string>>;    // values are YAML
using Trials = std::vector<std::map<std::string, std::string>>;  // values are YAML

template <class T>
concept Enumeration = std::is_enum_v<T>;
template <class T>
concept Optional = IsOptional<T>::value;
template <class T>
concept Union = IsUnion<T>::value;
template <class T>
concept UnionList = IsUnionList<T>::value;
template <class T>
concept UnionMap = IsUnionMap<T>::value;
template <class T>
concept Leaf = Enumeration<T> || std::same_as<T, std::string> || std::same_as<T, int64_t> ||
               std::same_as<T, double> || std::same_as<T, bool> || std::same_as<T, TextList> ||
               std::same_as<T, TextMap> || std::same_as<T, Grid> || std::same_as<T, Trials> ||
               std::same_as<T, YamlList> || std::same_as<T, Seeds>;
template <class T>
concept Section = !Leaf<T> && !Optional<T> && !Union<T> && !UnionList<T> && !UnionMap<T>;

// Calls f(T{}) for each alternative of a union.
template <class... T, class F>
void for_each_alternative(const std::variant<T...>*, F f) {
  (f(T{}), ...);
}

// "prefix_memory, lora, none"
template <Union T>
std::string all_types() {
  std::string all;
  for_each_alternative(static_cast<T*>(nullptr), [&](const auto& alternative) {
    all += (all.empty() ? "" : ", ") + std::string(alternative.kType);
  });
  return all;
}

// What may stand at a key of this kind, after "allowed: ".
template <class T>
std::string allowed_text(const Limit& limit) {
  if constexpr (Optional<T>)
    return allowed_text<typename T::value_type>(limit);
  else if constexpr (Union<T>)
    return all_types<T>();
  else if constexpr (UnionList<T>)
    return "a list of " + all_types<typename T::value_type>();
  else if constexpr (UnionMap<T>)
    return "a map of dotted paths to " + all_types<typename T::mapped_type>() +
           ", or to a list of values";
  else if constexpr (Enumeration<T>)
    return all_spellings<T>();
  else if constexpr (std::same_as<T, int64_t>)
    return "a whole number" + limit.range();
  else if constexpr (std::same_as<T, double>)
    return "a number" + limit.range();
  else if constexpr (std::same_as<T, bool>)
    return "true or false";
  else if constexpr (std::same_as<T, std::string>) {
    return limit.text.empty() ? "text" : std::string(limit.text);
  } else if constexpr (std::same_as<T, TextList>)
    return "a list of text, or one text alone";
  else if constexpr (std::same_as<T, TextMap>)
    return "a map of text to text";
  else if constexpr (std::same_as<T, Grid>)
    return "a map of dotted paths to lists of values";
  else if constexpr (std::same_as<T, YamlList>)
    return "a list of at least one value";
  else if constexpr (std::same_as<T, Seeds>)
    return "a list of distinct whole numbers of at least 0, or how many: 3 is [0, 1, 2]";
  else if constexpr (std::same_as<T, Trials>)
    return "a list of maps of dotted paths to values";
  else
    return "a map of keys";
}

}  // namespace prefixmem::spec
