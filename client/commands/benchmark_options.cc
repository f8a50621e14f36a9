#include "client/commands/benchmark_options.h"

#include <memory>
#include <optional>

#include "client/benchmarks/settings.h"

namespace prefixmem::client {
namespace fs = std::filesystem;
namespace {

Status fetched(const Benchmark& benchmark, const BenchmarkOptions& places, Session& session) {
  PM_ASSIGN(const auto files, places.prepare(benchmark, session));
  for (const PreparedFile& one : files) {
    if (one.from == kPresent) continue;
    session.note("fetched " + one.file.string() + " from " + one.from);
  }
  return {};
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

Result<std::vector<PreparedFile>> BenchmarkOptions::prepare(const Benchmark& benchmark,
                                                            const Session& session) const {
  const fs::path from = mirror.empty() ? fs::path() : session.env.working_folder / mirror;
  return prepare_benchmark(benchmark, data_folder(session), from,
                           [](const std::string& url) { return web::download(url); });
}

FindBenchmark BenchmarkOptions::finder(Session& session) const {
  auto registry = std::make_shared<std::optional<Registry>>();
  return [=, this, &session](const std::string& name) -> Result<std::vector<BenchmarkSettings>> {
    if (!*registry) {
      PM_ASSIGN(*registry, open(session));
    }
    PM_ASSIGN(const auto benchmarks, (*registry)->find(name));
    std::vector<BenchmarkSettings> found;
    for (const Benchmark* benchmark : benchmarks) {
      PM_TRY(fetch ? fetched(*benchmark, *this, session)
                   : check_prepared(*benchmark, data_folder(session)));
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

void add_mirror_option(CLI::App& command, BenchmarkOptions& places) {
  command
      .add_option("--mirror", places.mirror,
                  "Folder of benchmarks' files that is tried before their public sources")
      ->envname("PREFIXMEM_DATA");
}

}  // namespace prefixmem::client
