// Folders of this host that specs may name files of: root://NAME/PATH.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace prefixmem::agent {

// Thread-safe.
class Roots {
 public:
  // "NAME=DIR" each. INVALID_ARGUMENT naming --root; NOT_FOUND for a folder that is not there.
  static Result<Roots> parse(const std::vector<std::string>& given);

  bool empty() const { return folders_.empty(); }
  // "root://data/…, root://models/…".
  std::string names() const;
  // The file or folder that a text with the scheme names, with no link left in its path.
  // INVALID_ARGUMENT for a root that is not given and for what lies outside of its folder, through
  // ".." or a link; NOT_FOUND for what is not there.
  Result<std::filesystem::path> resolve(std::string_view text) const;

 private:
  std::map<std::string, std::filesystem::path, std::less<>> folders_;  // canonical
};

}  // namespace prefixmem::agent
