#include "worker/trainer/model/model_path.h"

#include <algorithm>
#include <string>
#include <system_error>
#include <vector>

namespace prefixmem::trainer {
namespace {

namespace fs = std::filesystem;

Result<std::vector<fs::path>> gguf_files(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  auto entry = fs::directory_iterator(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (entry->path().extension() == ".gguf") files.push_back(entry->path());
  }
  if (error) return from_errno("listing " + folder.string(), error.value());
  std::sort(files.begin(), files.end());
  return files;
}

bool has_safetensors(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / "model.safetensors", ignored) ||
         fs::exists(folder / "model.safetensors.index.json", ignored);
}

}  // namespace

Result<ModelPath> find_model(const fs::path& model) {
  std::error_code ignored;
  if (fs::is_regular_file(model, ignored)) {
    if (model.extension() == ".gguf") return ModelPath{model.parent_path(), model};
    return invalid_argument("model " + model.string() +
                            " is a file; allowed: a Hugging Face folder or a .gguf file");
  }
  if (!fs::is_directory(model, ignored)) {
    return not_found("model folder " + model.string() + " does not exist");
  }
  if (has_safetensors(model)) return ModelPath{model, {}};
  PM_ASSIGN(const auto files, gguf_files(model));
  if (files.size() > 1) {
    return invalid_argument("model folder " + model.string() + " holds " +
                            std::to_string(files.size()) + " GGUF files, " +
                            files[0].filename().string() + " and " + files[1].filename().string() +
                            (files.size() > 2 ? " among them" : "") +
                            "; allowed: one, or the path of one that holds the whole model");
  }
  return ModelPath{model, files.empty() ? fs::path() : files[0]};
}

}  // namespace prefixmem::trainer
