#include "client/render/setting.h"

namespace prefixmem::client {

void add_paths(const Setting& setting, std::set<std::string>& paths) {
  for (const auto& [path, value] : setting) paths.insert(path);
}

std::string value_at(const Setting& setting, const std::string& path) {
  const auto found = setting.find(path);
  return found == setting.end() ? "" : found->second;
}

std::string setting_text(const Setting& setting) {
  std::set<std::string> paths;
  add_paths(setting, paths);
  std::string text;
  for (const std::string& path : paths) {
    text += (text.empty() ? "" : ", ") + path + " " + value_at(setting, path);
  }
  return text;
}

}  // namespace prefixmem::client
