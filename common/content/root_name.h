// How a spec names what lies on a worker: root://NAME/PATH, PATH below the folder that the worker
// was given under that name (pmt-worker --root NAME=DIR).
#pragma once

#include <string>
#include <string_view>

#include "common/status.h"

namespace prefixmem {

inline constexpr std::string_view kRootScheme = "root://";

struct RootName {
  std::string root;
  std::string path;  // relative, stays below the root; empty: the root itself

  bool operator==(const RootName&) const = default;
};

// Whether `text` is meant as one.
bool names_root(std::string_view text);
// 1 to 64 letters, digits, '-', '_' and '.', which does not come first.
bool is_root(std::string_view name);
// INVALID_ARGUMENT with the text and what is allowed, among it for a path that leaves its root.
Result<RootName> parse_root_name(std::string_view text);

}  // namespace prefixmem
