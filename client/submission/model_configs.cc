#include "client/submission/model_configs.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "common/files.h"
#include "common/model/config.h"
#include "common/spec/paths.h"
#include "common/spec/utf8.h"

namespace prefixmem::client {
namespace {

constexpr size_t kMost = 100;              // that the coordinator takes
constexpr size_t kMostTogether = 2 << 20;  // bytes, which every coordinator takes in a call

}  // namespace

Status add_model_configs(const std::string& yaml, std::vector<v1::ModelConfig>& configs) {
  PM_ASSIGN(spec::Tree spec, spec::parse_tree(yaml));
  std::set<std::string> paths;
  PM_TRY(spec::each_path(spec, [&](std::string_view key, const spec::Tree& value) -> Status {
    if (key == "model" && !spec::has_scheme(value.scalar)) paths.insert(value.scalar);
    return {};
  }));
  size_t left = kMostTogether;
  while (configs.size() > kMost) configs.pop_back();
  for (const v1::ModelConfig& one : configs) left -= std::min(left, one.config_json().size());
  for (const std::string& path : paths) {
    if (configs.size() == kMost) break;
    auto text = read_file(std::filesystem::path(path) / "config.json",
                          static_cast<int64_t>(std::min(left, kMaxSentConfigBytes)));
    if (!text.ok() || !spec::is_utf8(*text)) continue;
    left -= text->size();
    v1::ModelConfig& one = configs.emplace_back();
    one.set_model(path);
    one.set_config_json(*std::move(text));
  }
  return {};
}

}  // namespace prefixmem::client
