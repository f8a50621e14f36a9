#include "client/submission/hub_models.h"

#include <algorithm>
#include <map>
#include <optional>

#include "common/model/config.h"
#include "common/spec/paths.h"
#include "common/spec/utf8.h"

namespace prefixmem::client {
namespace {

using spec::Tree;

constexpr const char* kConfig = "config.json";  // none beside a GGUF file

// The commit, and config.json where there is one.
struct Pinned {
  std::string commit;
  std::optional<std::string> config;
};

// A model whose weights this account may not read, or whose configuration is too long, is trained
// without a prediction of its memory.
bool is_untold(Code code) {
  return code == Code::kFailedPrecondition || code == Code::kResourceExhausted;
}

Result<Pinned> look_up(const HubName& name, const Hub& hub) {
  PM_ASSIGN(const HubRevision revision, find_revision(hub, name));
  PM_TRY(check_hub_files(name, revision));
  const auto is_config = [](const HubFile& file) { return file.path == kConfig; };
  if (std::none_of(revision.files.begin(), revision.files.end(), is_config)) {
    return Pinned{revision.commit, {}};
  }
  auto config = read_hub_file(hub, name, revision, kConfig, kMaxSentConfigBytes);
  if (config.ok() && spec::is_utf8(*config)) return Pinned{revision.commit, *std::move(config)};
  if (!config.ok() && !is_untold(config.status().code())) return config.status();
  return Pinned{revision.commit, {}};
}

// The name with the commit; its configuration goes to `configs`. One that has a commit already
// needs no Hub.
Result<std::string> pinned(const std::string& named, const Hub& hub,
                           std::vector<v1::ModelConfig>& configs) {
  PM_ASSIGN(HubName name, parse_hub_name(named));
  auto found = look_up(name, hub);
  if (!found.ok() && name.is_commit()) return name.text();
  if (!found.ok()) return found.status().with_context(name.text());
  name.revision = found->commit;
  const auto is_told = [&](const v1::ModelConfig& one) { return one.model() == name.text(); };
  if (found->config && std::none_of(configs.begin(), configs.end(), is_told)) {
    v1::ModelConfig& one = configs.emplace_back();
    one.set_model(name.text());
    one.set_config_json(*std::move(found->config));
  }
  return name.text();
}

}  // namespace

Result<HubModels> pin_hub_models(const std::string& yaml, const Hub& hub) {
  PM_ASSIGN(Tree spec, spec::parse_tree(yaml));
  HubModels models;
  std::map<std::string, std::string> known;
  PM_TRY(spec::each_path(spec, [&](std::string_view key, Tree& value) -> Status {
    if (key != "model" || !names_hub(value.scalar)) return {};
    std::string& text = known[value.scalar];
    if (text.empty()) {
      auto found = pinned(value.scalar, hub, models.configs);
      if (!found.ok()) return found.status().with_context(key);
      text = *std::move(found);
    }
    value = Tree::text(text);
    return {};
  }));
  models.yaml = known.empty() ? yaml : spec::print_tree(spec);
  return models;
}

}  // namespace prefixmem::client
