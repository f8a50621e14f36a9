#include "client/submission/submission.h"

#include "common/spec/override.h"
#include "common/spec/paths.h"
#include "common/spec/tree.h"

namespace prefixmem::client {
namespace {

namespace fs = std::filesystem;
using spec::Tree;
using spec::VisitPath;

// What has a scheme means the same everywhere.
VisitPath absolute_against(const fs::path& folder) {
  return [folder](std::string_view, Tree& value) {
    if (!spec::has_scheme(value.scalar)) {
      value = Tree::text((folder / value.scalar).lexically_normal().string());
    }
    return Status();
  };
}

Status apply_setting(const std::string& setting, Tree& spec, const fs::path& working_folder) {
  const size_t equals = setting.find('=');
  if (equals == setting.npos || equals == 0) {
    return invalid_argument("--set is \"" + setting + "\"; allowed: PATH=VALUE, e.g. train.seed=1");
  }
  Override override{setting.substr(0, equals), setting.substr(equals + 1)};
  auto value = spec::parse_tree(override.yaml);
  if (value.ok()) {
    PM_TRY(spec::each_path_at(override.path, *value, absolute_against(working_folder)));
    override.yaml = spec::print_flow(*value);
  }
  return spec::apply_override(override, spec).with_context("--set");
}

}  // namespace

Result<std::string> prepare_submission(std::string_view yaml, const fs::path& folder,
                                       const std::vector<std::string>& settings,
                                       const fs::path& working_folder, const FindBenchmark& find) {
  PM_ASSIGN(Tree spec, spec::parse_tree(yaml));
  if (spec.is_null()) spec = Tree::map();
  if (!spec.is_map()) return invalid_argument("the spec is no map of keys");
  PM_TRY(spec::each_path(spec, absolute_against(folder)));
  for (const std::string& setting : settings) {
    PM_TRY(apply_setting(setting, spec, working_folder));
  }
  PM_TRY(bind_benchmarks(find, spec));
  return spec::print_tree(spec);
}

}  // namespace prefixmem::client
