#include "common/spec/paths.h"

#include <string>

namespace prefixmem::spec {
namespace {

constexpr std::string_view kAxis = "sweep.grid.";
constexpr std::string_view kTuning = "sweep.tune_on.";
constexpr std::string_view kDomain = "sweep.space.";

bool is_path_key(std::string_view key) {
  return key == "model" || key == "data.train" || key == "data.validation" || key == "data.eval" ||
         key == "eval.data.eval" || key == "method.init" || key == "train.continue_from";
}

class Walk {
 public:
  explicit Walk(const VisitPath& visit) : visit_(visit) {}

  // `value` stands at the dotted path: a path of the file system, or a block that may hold some.
  Status at(const std::string& path, Tree& value) {
    if (is_path_key(path)) return leaf(path, value);
    if (path == "data" || path == "train" || path == "eval" || path == "eval.data" ||
        path == "sweep" || path == "sweep.grid" || path == "sweep.tune_on" ||
        path == "sweep.space") {
      return entries(path + ".", value);
    }
    if (path == "method" || path == "method.methods") {  // one method, or a list of several
      PM_TRY(entries("method.", value));
      PM_TRY(items("method", value));
    }
    for (const std::string_view axes : {kAxis, kTuning}) {
      if (path.starts_with(axes)) PM_TRY(items(path.substr(axes.size()), value));
    }
    if (path.starts_with(kDomain)) PM_TRY(domain(path.substr(kDomain.size()), value));
    if (path != "sweep.trials") return {};
    for (Tree& trial : value.items) PM_TRY(entries("", trial));
    return {};
  }

  Status entries(const std::string& prefix, Tree& block) {
    for (Tree::Entry& entry : block.entries) PM_TRY(at(prefix + entry.key, entry.value));
    return {};
  }

 private:
  Status leaf(const std::string& path, Tree& value) {
    return value.is_scalar() && !value.scalar.empty() ? visit_(path, value) : Status();
  }

  // Values of one key of the spec.
  Status items(const std::string& path, Tree& list) {
    for (Tree& item : list.items) PM_TRY(at(path, item));
    return {};
  }

  // A choice of a search: a list, or a map with the list `values`; conditions hold lists too.
  Status domain(const std::string& path, Tree& domain) {
    PM_TRY(items(path, domain));
    if (Tree* values = domain.find("values")) PM_TRY(items(path, *values));
    Tree* when = domain.find("when");
    if (when == nullptr) return {};
    for (Tree::Entry& entry : when->entries) PM_TRY(items(entry.key, entry.value));
    return {};
  }

  const VisitPath& visit_;
};

}  // namespace

bool has_scheme(std::string_view named) { return named.find("://") != named.npos; }

Status each_path(Tree& spec, const VisitPath& visit) { return Walk(visit).entries("", spec); }

Status each_path_at(std::string_view path, Tree& value, const VisitPath& visit) {
  return Walk(visit).at(std::string(path), value);
}

}  // namespace prefixmem::spec
