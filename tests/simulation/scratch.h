// Makes a folder for the files of simulated jobs the current one, in memory where the machine has
// such a place: so paths in messages are the same in every run.
#pragma once

#include <stdlib.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

namespace prefixmem::simulation {

class Scratch {
 public:
  Scratch() {
    const std::filesystem::path memory = "/dev/shm";
    const bool there = std::filesystem::is_directory(memory);
    const auto parent = there ? memory : std::filesystem::temp_directory_path();
    std::string pattern = (parent / "prefixmem-simulation-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::system_error(errno, std::generic_category());
    path_ = pattern;
    std::filesystem::current_path(path_);
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::current_path("/", ignored);
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  static std::filesystem::path folder() { return "data"; }

 private:
  std::filesystem::path path_;
};

}  // namespace prefixmem::simulation
