// What a value may be: enforced by the reader, printed by `explain`.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace prefixmem::spec {

struct Limit {
  std::optional<double> least = {};
  std::optional<double> above = {};
  std::optional<double> most = {};
  std::optional<double> below = {};
  bool (*accepts)(std::string_view) = nullptr;  // of text
  std::string_view text = {};                   // which text that is
  // Told by `explain`; enforced by validate().
  bool required = false;
  std::string_view unless = {};  // "unless method is none"; empty: always

  bool holds(double value) const {
    return (!least || value >= *least) && (!above || value > *above) && (!most || value <= *most) &&
           (!below || value < *below);
  }
  bool holds(std::string_view value) const { return accepts == nullptr || accepts(value); }
  // " of at least 1 and at most 8"; empty where every number will do.
  std::string range() const;
};

inline Limit at_least(double least) { return {.least = least}; }
inline Limit above(double bound) { return {.above = bound}; }
inline Limit between(double least, double most) { return {.least = least, .most = most}; }

// [a-z0-9][a-z0-9._-]{0,62}
bool is_name(std::string_view text);
inline constexpr std::string_view kNameText =
    "1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit";
inline Limit name_text() { return {.accepts = is_name, .text = kNameText}; }

inline Limit required(std::string_view unless = {}, Limit limit = {}) {
  limit.required = true;
  limit.unless = unless;
  return limit;
}

// The shortest decimal that reads back as the same double.
std::string number_text(double value);

}  // namespace prefixmem::spec
