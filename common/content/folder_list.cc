#include "common/content/folder_list.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "common/sha256.h"
#include "common/spec/utf8.h"

namespace prefixmem {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr size_t kMaxPathBytes = 512;

bool by_path(const FolderFile& a, const FolderFile& b) { return a.path < b.path; }

Status refuse(const std::string& why) {
  return invalid_argument("the list of a folder's files " + why +
                          "; allowed: {\"files\": [{\"path\", \"bytes\", \"sha256\"}, …]}");
}

Status check(const FolderFile& file) {
  if (!stays_below(file.path)) {
    return refuse("has the path \"" + spec::shortened(file.path, 200) +
                  "\", which does not stay in the folder");
  }
  if (file.bytes < 0) return refuse("gives " + file.path + " less than no bytes");
  if (!is_sha256(file.sha256)) return refuse("has no sha256 of " + file.path);
  return {};
}

// No path twice, and none below a file.
Status check_tree(const FolderList& files) {
  std::set<std::string> paths;
  for (const FolderFile& file : files) {
    if (!paths.insert(file.path).second) return refuse("has " + file.path + " twice");
  }
  for (const FolderFile& file : files) {
    for (fs::path at = fs::path(file.path).parent_path(); !at.empty(); at = at.parent_path()) {
      if (paths.contains(at.string())) return refuse("has " + at.string() + " as file and folder");
    }
  }
  return {};
}

}  // namespace

std::string print_folder_list(FolderList files) {
  std::sort(files.begin(), files.end(), by_path);
  auto list = ordered_json::array();
  for (const FolderFile& file : files) {
    list.push_back({{"path", file.path}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  }
  return ordered_json{{"files", std::move(list)}}.dump(1) + "\n";
}

Result<FolderList> parse_folder_list(std::string_view text) {
  if (text.size() > kMaxFolderListBytes) return refuse("is too long");
  FolderList files;
  try {
    const auto parsed = ordered_json::parse(text);
    for (const auto& entry : parsed.at("files")) {
      FolderFile file{entry.at("path"), entry.at("bytes"), entry.at("sha256")};
      PM_TRY(check(file));
      files.push_back(std::move(file));
    }
  } catch (const ordered_json::exception& error) {
    return refuse(std::string("cannot be read: ") + error.what());
  }
  if (files.empty()) return refuse("is empty");
  PM_TRY(check_tree(files));
  std::sort(files.begin(), files.end(), by_path);
  return files;
}

bool stays_below(std::string_view path) {
  const fs::path parts(path);
  return !path.empty() && path.size() <= kMaxPathBytes && spec::is_utf8(path) &&
         path.find('\0') == path.npos && parts.is_relative() &&
         parts.lexically_normal().native() == path && *parts.begin() != ".." &&
         parts.has_filename() && path != ".";
}

Result<std::vector<std::string>> files_below(const fs::path& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  fs::recursive_directory_iterator at(folder, fs::directory_options::follow_directory_symlink,
                                      error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    if (at->path().filename().native().starts_with('.')) {
      at.disable_recursion_pending();
      continue;
    }
    if (!at->is_regular_file(error) || error) continue;
    const std::string path = at->path().lexically_relative(folder).string();
    if (!stays_below(path)) {
      return invalid_argument("the file \"" + spec::shortened(path, 200) + "\" in " +
                              folder.string() +
                              " has a name that cannot be sent; allowed: UTF-8, 512 bytes at most");
    }
    paths.push_back(path);
  }
  if (error) return from_errno("listing " + folder.string(), error.value());
  if (paths.empty()) {
    return invalid_argument("the folder " + folder.string() +
                            " has no file in it; allowed: one with files");
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace prefixmem
