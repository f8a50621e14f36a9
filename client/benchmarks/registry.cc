#include "client/benchmarks/registry.h"

#include <algorithm>
#include <map>
#include <set>

#include "common/files.h"
#include "common/spec/suggest.h"
#include "common/spec/utf8.h"

namespace prefixmem::client {
namespace {

namespace fs = std::filesystem;

// Adds the files of a folder by name, unless there is one of that name.
Status list_files(const fs::path& folder, std::map<std::string, fs::path>& files) {
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() == ".yaml") files.emplace(at->path().stem(), at->path());
  }
  return error ? from_errno("reading registry " + folder.string(), error.value()) : Status();
}

Result<std::vector<Benchmark>> read_benchmark_file(const std::string& name, const fs::path& file) {
  PM_ASSIGN(const std::string text, read_file(file, spec::kMaxBytes));
  PM_ASSIGN(const spec::Tree tree, spec::parse_tree(text));
  return read_benchmarks(tree, name);
}

}  // namespace

Result<Registry> Registry::open(const std::vector<fs::path>& folders) {
  std::map<std::string, fs::path> files;
  for (const fs::path& folder : folders) PM_TRY(list_files(folder, files));
  Registry registry;
  for (const auto& [name, file] : files) {
    auto read = read_benchmark_file(name, file);
    if (!read.ok()) return read.status().with_context(file.string());
    std::move(read->begin(), read->end(), std::back_inserter(registry.benchmarks_));
  }
  return registry;
}

Result<std::vector<const Benchmark*>> Registry::find(std::string_view name) const {
  std::vector<const Benchmark*> found;
  std::set<std::string> names;  // of suites, and of tasks only where one of a suite was asked for
  for (const Benchmark& benchmark : benchmarks_) {
    const std::string suite = benchmark.suite();
    if (benchmark.name == name || (!suite.empty() && suite == name)) found.push_back(&benchmark);
    names.insert(suite.empty() || name.starts_with(suite + "/") ? benchmark.name : suite);
  }
  if (!found.empty()) return found;
  const std::vector<std::string_view> known(names.begin(), names.end());
  return not_found("benchmark \"" + spec::shortened(name, 80) + "\" is not in the registry; " +
                   spec::suggestion(name, known));
}

}  // namespace prefixmem::client
