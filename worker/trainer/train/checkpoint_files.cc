#include <algorithm>
#include <cstdio>
#include <string>
#include <system_error>

#include "worker/trainer/train/checkpoint.h"

namespace prefixmem::trainer {

namespace fs = std::filesystem;

std::string step_name(int64_t step) {
  char name[32];
  std::snprintf(name, sizeof name, "step-%08lld", static_cast<long long>(step));
  return name;
}

fs::path checkpoint_path(const fs::path& folder, int64_t step) {
  return folder / (step_name(step) + ".safetensors");
}

std::vector<fs::path> list_checkpoints(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("step-") && name.ends_with(".safetensors")) files.push_back(entry.path());
  }
  // Longer names are later steps, of more than eight digits.
  std::sort(files.begin(), files.end(), [](const fs::path& a, const fs::path& b) {
    const std::string x = a.filename(), y = b.filename();
    return x.size() != y.size() ? x.size() > y.size() : x > y;
  });
  return files;
}

Status prune_checkpoints(const fs::path& folder, size_t keep) {
  auto files = list_checkpoints(folder);
  files.erase(files.begin(), files.begin() + std::min(keep, files.size()));
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".tmp") files.push_back(entry.path());
  }
  for (const auto& file : files) {
    std::error_code error;
    fs::remove(file, error);
    if (error) return from_errno("removing " + file.string(), error.value());
  }
  return {};
}

}  // namespace prefixmem::trainer
