#include "client/content/local_model.h"

#include "common/content/content_name.h"
#include "common/content/folder_list.h"
#include "common/content/hub_name.h"
#include "common/content/model_name.h"

namespace prefixmem::client {

Status check_model_at(const std::filesystem::path& path) {
  const std::filesystem::path plain = path.has_filename() ? path : path.parent_path();
  const ContentName name{{}, plain.filename().string(), std::filesystem::is_directory(path)};
  if (!name.folder) return check_model_file(name);
  PM_ASSIGN(const auto paths, files_below(path));
  FolderList files;
  for (const std::string& file : paths) files.push_back({file, 0, {}});
  return check_model_folder(name, files);
}

std::string hub_hint(const std::string& given) {
  const std::string name = std::string(kHubScheme) + given;
  const auto hub = parse_hub_name(name);
  if (!hub.ok()) return "";
  return "; of the Hub: pmt models add " + name + ", then models://" + hub->name();
}

}  // namespace prefixmem::client
