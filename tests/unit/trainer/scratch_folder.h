// A folder of a test's own, removed with its content. Not by fs::remove_all, of which LibTorch
// exports a broken copy.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace prefixmem::trainer {

class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "prefixmem-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::system_error(errno, std::generic_category());
    path_ = pattern;
  }
  ~ScratchFolder() { remove_tree(path_); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  std::filesystem::path write(const std::string& name, std::string_view bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return path_ / name;
  }

 private:
  static void remove_tree(const std::filesystem::path& path) {
    std::vector<std::filesystem::path> children;
    if (std::filesystem::is_directory(std::filesystem::symlink_status(path))) {
      for (const auto& entry : std::filesystem::directory_iterator(path)) {
        children.push_back(entry.path());
      }
    }
    for (const auto& child : children) remove_tree(child);
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
  }

  std::filesystem::path path_;
};

}  // namespace prefixmem::trainer
