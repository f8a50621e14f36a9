#include "worker/agent/inputs/roots.h"

#include <system_error>

#include "common/content/root_name.h"
#include "common/files.h"
#include "common/spec/utf8.h"

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;

Status bad_flag(const std::string& given) {
  return invalid_argument(
      "--root is \"" + given +
      "\"; allowed: NAME=DIR, NAME of letters, digits, '-', '_' and '.', which does not "
      "come first");
}

}  // namespace

Result<Roots> Roots::parse(const std::vector<std::string>& given) {
  Roots roots;
  for (const std::string& one : given) {
    const size_t equals = one.find('=');
    if (equals == one.npos || equals + 1 == one.size()) return bad_flag(one);
    const std::string name = one.substr(0, equals), folder = one.substr(equals + 1);
    if (!is_root(name)) return bad_flag(one);
    if (roots.folders_.contains(name)) {
      return invalid_argument("--root names " + name + " twice; allowed: each name once");
    }
    std::error_code error;
    const fs::path canonical = fs::canonical(folder, error);
    if (error) return from_errno("--root " + one, error.value());
    if (!fs::is_directory(canonical)) {
      return invalid_argument("--root " + one + " is no folder; allowed: a folder");
    }
    roots.folders_[name] = canonical;
  }
  return roots;
}

// Looked at once, here: whoever may change links below the root may also change its files.
Result<fs::path> Roots::resolve(std::string_view text) const {
  PM_ASSIGN(const RootName name, parse_root_name(text));
  const std::string shown = "\"" + spec::shortened(text, 400) + "\"";
  const auto root = folders_.find(name.root);
  if (root == folders_.end()) {
    return invalid_argument(shown + " names no root of this worker; allowed: " +
                            (empty() ? "none, for it was started without --root" : names()));
  }
  std::error_code error;
  const fs::path path = fs::weakly_canonical(root->second / name.path, error);
  if (error) return from_errno("resolving " + shown, error.value());
  if (!is_inside(path, root->second)) {
    return invalid_argument(shown + " leaves its root by a link; allowed: what lies below it");
  }
  if (!fs::exists(path, error)) return not_found(shown + " is not there on this worker");
  return path;
}

std::string Roots::names() const {
  std::string names;
  for (const auto& [name, folder] : folders_) {
    names += (names.empty() ? "root://" : ", root://") + name + "/…";
  }
  return names;
}

}  // namespace prefixmem::agent
