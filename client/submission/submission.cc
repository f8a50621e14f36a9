#include "client/submission/submission.h"

#include "common/spec/override.h"
#include "common/spec/tree.h"

namespace prefixmem::client {
namespace {

namespace fs = std::filesystem;
using spec::Tree;

constexpr std::string_view kAxis = "sweep.grid.";
constexpr std::string_view kDomain = "sweep.space.";

bool is_path_key(std::string_view key) {
  return key == "model" || key == "data.train" || key == "data.validation" || key == "data.eval" ||
         key == "eval.data.eval" || key == "method.init";
}

void make_absolute(Tree& value, const fs::path& folder) {
  if (!value.is_scalar() || value.scalar.empty()) return;
  value = Tree::text((folder / value.scalar).lexically_normal().string());
}

void resolve(const std::string& path, Tree& value, const fs::path& folder);

void resolve_entries(const std::string& prefix, Tree& block, const fs::path& folder) {
  for (Tree::Entry& entry : block.entries) resolve(prefix + entry.key, entry.value, folder);
}

// Values of one key of the spec.
void resolve_items(const std::string& path, Tree& list, const fs::path& folder) {
  for (Tree& item : list.items) resolve(path, item, folder);
}

// A choice of a search: a list, or a map with the list `values`; conditions hold lists too.
void resolve_domain(const std::string& path, Tree& domain, const fs::path& folder) {
  resolve_items(path, domain, folder);
  if (Tree* values = domain.find("values")) resolve_items(path, *values, folder);
  Tree* when = domain.find("when");
  if (when == nullptr) return;
  for (Tree::Entry& entry : when->entries) resolve_items(entry.key, entry.value, folder);
}

// `value` stands at the dotted path: a path of the file system, or a block that may hold some.
void resolve(const std::string& path, Tree& value, const fs::path& folder) {
  if (is_path_key(path)) return make_absolute(value, folder);
  if (path == "data" || path == "eval" || path == "eval.data" || path == "sweep" ||
      path == "sweep.grid" || path == "sweep.space") {
    return resolve_entries(path + ".", value, folder);
  }
  if (path == "method" || path == "method.methods") {  // one method, or a list of several
    resolve_entries("method.", value, folder);
    resolve_items("method", value, folder);
  }
  if (path.starts_with(kAxis)) resolve_items(path.substr(kAxis.size()), value, folder);
  if (path.starts_with(kDomain)) resolve_domain(path.substr(kDomain.size()), value, folder);
  if (path == "sweep.trials") {
    for (Tree& trial : value.items) resolve_entries("", trial, folder);
  }
}

Status apply_setting(const std::string& setting, Tree& spec, const fs::path& working_folder) {
  const size_t equals = setting.find('=');
  if (equals == setting.npos || equals == 0) {
    return invalid_argument("--set is \"" + setting + "\"; allowed: PATH=VALUE, e.g. train.seed=1");
  }
  Override override{setting.substr(0, equals), setting.substr(equals + 1)};
  auto value = spec::parse_tree(override.yaml);
  if (value.ok()) {
    resolve(override.path, *value, working_folder);
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
  resolve_entries("", spec, folder);
  for (const std::string& setting : settings) {
    PM_TRY(apply_setting(setting, spec, working_folder));
  }
  PM_TRY(bind_benchmarks(find, spec));
  return spec::print_tree(spec);
}

}  // namespace prefixmem::client
