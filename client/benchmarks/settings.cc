#include "client/benchmarks/settings.h"

#include "client/benchmarks/prepare.h"

namespace prefixmem::client {

using spec::Tree;

BenchmarkSettings settings_of(const Benchmark& benchmark, const std::filesystem::path& data) {
  const auto file = [&](const Split& split) {
    return Tree::text(prepared_path(data, benchmark, split).string());
  };
  BenchmarkSettings settings{benchmark.name, benchmark.settings, Tree::map()};
  if (settings.job.find("data") == nullptr) settings.job.set("data", Tree::map());
  Tree& rows = *settings.job.find("data");
  rows.set("eval", file(*benchmark.test));
  Tree held_out = rows;
  std::erase_if(held_out.entries, [](const Tree::Entry& entry) {
    return entry.key == "few_shot" || entry.key == "holdout";
  });
  if (benchmark.train) rows.set("train", file(*benchmark.train));
  if (benchmark.validation) rows.set("validation", file(*benchmark.validation));
  if (const Tree* eval = benchmark.settings.find("eval")) settings.held_out = *eval;
  settings.held_out.set("data", std::move(held_out));
  return settings;
}

}  // namespace prefixmem::client
