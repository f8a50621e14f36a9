// A folder as content: the list of its files, which is kept as a file itself.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace prefixmem {

struct FolderFile {
  std::string path;  // inside the folder
  int64_t bytes = 0;
  std::string sha256;

  bool operator==(const FolderFile&) const = default;
};

using FolderList = std::vector<FolderFile>;  // by path

inline constexpr size_t kMaxFolderListBytes = size_t{16} << 20;

// The same text for the same files, in whatever order they are given.
std::string print_folder_list(FolderList files);
// INVALID_ARGUMENT for what is no such list: among it paths that leave the folder, are given twice
// or lie below a file.
Result<FolderList> parse_folder_list(std::string_view text);

// Relative, in its shortest form, and inside the folder that it is relative to.
bool stays_below(std::string_view path);

// Paths of all regular files below `folder` but hidden ones, relative to it and sorted; links count
// as what they lead to. INVALID_ARGUMENT for a file with a name that is no UTF-8, and where there
// is none.
Result<std::vector<std::string>> files_below(const std::filesystem::path& folder);

}  // namespace prefixmem
