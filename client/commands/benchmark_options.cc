#include "client/commands/benchmark_options.h"

#include <memory>
#include <optional>

#include "client/benchmarks/prepare.h"

namespace prefixmem::client {
namespace {

namespace fs = std::filesystem;
using spec::Tree;

BenchmarkSettings settings_of(const Benchmark& benchmark, const fs::path& data) {
  const auto file = [&](const Split& split) {
    return Tree::text(prepared_path(data, benchmark, split).string());
  };
  BenchmarkSettings settings{benchmark.name, benchmark.settings, Tree::map()};
  if (settings.job.find("data") == nullptr) settings.job.set("data", Tree::map());
  Tree& rows = *settings.job.find("data");
  rows.set("eval", file(*benchmark.test));
  Tree held_out = rows;
  std::erase_if(held_out.entries, [](const Tree::Entry& entry) { return entry.key == "few_shot"; });
  if (benchmark.train) rows.set("train", file(*benchmark.train));
  if (const Tree* eval = benchmark.settings.find("eval")) settings.held_out = *eval;
  settings.held_out.set("data", std::move(held_out));
  return settings;
}

}  // namespace

Result<Registry> BenchmarkOptions::open(const Session& session) const {
  std::vector<fs::path> folders;
  for (const std::string& folder : registries) {
    folders.push_back(session.env.working_folder / folder);
  }
  if (!session.env.shipped_registry.empty()) folders.push_back(session.env.shipped_registry);
  return Registry::open(folders);
}

fs::path BenchmarkOptions::data_folder(const Session& session) const {
  if (data.empty()) return session.env.cache_folder / "benchmarks";
  return (session.env.working_folder / data).lexically_normal();
}

FindBenchmark BenchmarkOptions::finder(const Session& session) const {
  auto registry = std::make_shared<std::optional<Registry>>();
  return [=, this, &session](const std::string& name) -> Result<std::vector<BenchmarkSettings>> {
    if (!*registry) {
      PM_ASSIGN(*registry, open(session));
    }
    PM_ASSIGN(const auto benchmarks, (*registry)->find(name));
    std::vector<BenchmarkSettings> found;
    for (const Benchmark* benchmark : benchmarks) {
      PM_TRY(check_prepared(*benchmark, data_folder(session)));
      found.push_back(settings_of(*benchmark, data_folder(session)));
    }
    return found;
  };
}

void add_benchmark_options(CLI::App& command, BenchmarkOptions& places) {
  command
      .add_option("--registry", places.registries,
                  "Folder of benchmarks of your own, before the shipped ones; may be repeated")
      ->envname("PREFIXMEM_BENCHMARKS")
      ->delimiter(':')
      ->allow_extra_args(false);
  command
      .add_option(
          "--benchmark-data", places.data,
          "Folder of prepared benchmarks; default: prefixmem/benchmarks in the user's cache")
      ->envname("PREFIXMEM_BENCHMARK_DATA");
}

}  // namespace prefixmem::client
