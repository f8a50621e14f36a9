#include "common/content/model_name.h"

#include <algorithm>

#include "common/content/root_name.h"
#include "common/spec/utf8.h"

namespace prefixmem {
namespace {

constexpr std::string_view kGguf = ".gguf";

}  // namespace

bool names_model(std::string_view text) { return text.starts_with(kModelScheme); }

Status check_model_name(std::string_view name) {
  if (is_root(name)) return {};
  return invalid_argument(
      "the model's name is \"" + spec::shortened(name, 200) +
      "\"; allowed: 1 to 64 letters, digits, '-', '_' and '.', which does not come first");
}

Result<std::string> parse_model_name(std::string_view text) {
  const std::string_view name =
      names_model(text) ? text.substr(kModelScheme.size()) : std::string_view();
  if (check_model_name(name).ok()) return std::string(name);
  return invalid_argument("\"" + spec::shortened(text, 400) +
                          "\" names no model; allowed: models://NAME, as pmt models lists them");
}

Status check_model_file(const ContentName& content) {
  if (content.name.ends_with(kGguf)) return {};
  return invalid_argument(content.name + " is no model; allowed: a folder or a .gguf file");
}

Status check_model_folder(const ContentName& content, const FolderList& files) {
  const auto has = [&](std::string_view path) {
    return std::any_of(files.begin(), files.end(),
                       [&](const FolderFile& file) { return file.path == path; });
  };
  const auto ggufs = std::count_if(files.begin(), files.end(), [](const FolderFile& file) {
    return file.path.ends_with(kGguf) && file.path.find('/') == file.path.npos;
  });
  const bool tensors = has("model.safetensors") || has("model.safetensors.index.json");
  if (!tensors && ggufs == 1) return {};
  if (!has("config.json")) {
    return invalid_argument("the folder " + content.name +
                            " is no model: it has no config.json; allowed: a Hugging Face folder");
  }
  if (tensors) return {};
  return invalid_argument("the folder " + content.name +
                          " is no model: it has no weights; allowed: model.safetensors, "
                          "model.safetensors.index.json or one .gguf file");
}

}  // namespace prefixmem
