#include "common/content/root_name.h"

#include <algorithm>
#include <cctype>

#include "common/content/folder_list.h"
#include "common/spec/utf8.h"

namespace prefixmem {
namespace {

constexpr size_t kLongestRoot = 64;

Status refuse(std::string_view text, const std::string& why) {
  return invalid_argument("\"" + spec::shortened(text, 400) + "\" " + why +
                          "; allowed: root://NAME/PATH, PATH without \"..\"");
}

}  // namespace

bool names_root(std::string_view text) { return text.starts_with(kRootScheme); }

bool is_root(std::string_view name) {
  return !name.empty() && name.size() <= kLongestRoot && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
         });
}

Result<RootName> parse_root_name(std::string_view text) {
  if (!names_root(text)) return refuse(text, "names no root");
  std::string_view rest = text.substr(kRootScheme.size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  RootName name{.root = std::string(rest.substr(0, slash)), .path = {}};
  if (!is_root(name.root)) return refuse(text, "names no root");
  rest.remove_prefix(std::min(slash + 1, rest.size()));
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (!rest.empty() && !stays_below(rest)) return refuse(text, "does not stay below its root");
  name.path = rest;
  return name;
}

}  // namespace prefixmem
