#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/benchmarks/prepare.h"
#include "client/commands/benchmark_options.h"
#include "client/commands/commands.h"
#include "client/exit_codes.h"
#include "client/render/numbers.h"
#include "client/render/table.h"

namespace prefixmem::client {
namespace {

using Json = nlohmann::ordered_json;
using spec::Tree;

struct BenchmarksOptions {
  BenchmarkOptions places;
  std::string name;
};

std::string rows_text(const std::optional<Split>& split) { return split ? whole(split->rows) : ""; }

// What is reported of it, as its settings have it.
std::string metric_of(const Benchmark& benchmark) {
  const Tree* eval = benchmark.settings.find("eval");
  for (const char* key : {"metric", "mode"}) {
    const Tree* value = eval == nullptr ? nullptr : eval->find(key);
    if (value != nullptr) return value->scalar;
  }
  return "loss";
}

Json json_of(const Benchmark& benchmark, const std::filesystem::path& data) {
  Json splits = Json::object();
  for (const auto& [name, split] : benchmark.splits()) {
    splits[std::string(name)] = {{"file", prepared_path(data, benchmark, *split).string()},
                                 {"rows", split->rows},
                                 {"sha256", split->sha256},
                                 {"url", split->url}};
  }
  return {{"name", benchmark.name},
          {"about", benchmark.about},
          {"licence", benchmark.licence},
          {"source", benchmark.source},
          {"prepared", check_prepared(benchmark, data).ok()},
          {"splits", splits},
          {"spec", print_tree(benchmark.settings)}};
}

Status print_json(Json benchmarks, Session& session) {
  return session.print(Json{{"benchmarks", std::move(benchmarks)}}.dump(2) + "\n");
}

Result<int> list_benchmarks(const BenchmarksOptions& options, Session& session) {
  PM_ASSIGN(const Registry registry, options.places.open(session));
  const auto data = options.places.data_folder(session);
  Json all = Json::array();
  Table table({{"name"},
               {"metric"},
               {"train", Align::kRight},
               {"test", Align::kRight},
               {"prepared"},
               {"about"}});
  for (const Benchmark& benchmark : registry.benchmarks()) {
    if (session.json()) {
      all.push_back(json_of(benchmark, data));
      continue;
    }
    table.add({benchmark.name, metric_of(benchmark), rows_text(benchmark.train),
               rows_text(benchmark.test), check_prepared(benchmark, data).ok() ? "yes" : "no",
               benchmark.about});
  }
  PM_TRY(session.json() ? print_json(std::move(all), session) : session.print(table.text()));
  return kExitDone;
}

std::string description(const Benchmark& benchmark, const std::filesystem::path& data) {
  std::vector<std::pair<std::string, std::string>> lines = {
      {"name", benchmark.name},
      {"about", benchmark.about},
      {"licence", benchmark.licence},
      {"source", benchmark.source},
      {"prepared", check_prepared(benchmark, data).ok() ? "yes" : "no"}};
  for (const auto& [name, split] : benchmark.splits()) {
    lines.emplace_back(name, whole(split->rows) + " rows, " +
                                 prepared_path(data, benchmark, *split).string() + ", sha256 " +
                                 split->sha256);
  }
  return fields(lines) + "spec:\n" + print_tree(benchmark.settings);
}

Result<int> show_benchmarks(const BenchmarksOptions& options, Session& session) {
  PM_ASSIGN(const Registry registry, options.places.open(session));
  PM_ASSIGN(const auto found, registry.find(options.name));
  const auto data = options.places.data_folder(session);
  Json all = Json::array();
  std::string text;
  for (const Benchmark* benchmark : found) {
    all.push_back(json_of(*benchmark, data));
    text += (text.empty() ? "" : "\n") + description(*benchmark, data);
  }
  PM_TRY(session.json() ? print_json(std::move(all), session) : session.print(text));
  return kExitDone;
}

Result<int> prepare_benchmarks(const BenchmarksOptions& options, Session& session) {
  PM_ASSIGN(const Registry registry, options.places.open(session));
  PM_ASSIGN(const auto found, registry.find(options.name));
  const auto data = options.places.data_folder(session);
  Json all = Json::array();
  Table table({{"benchmark"}, {"split"}, {"rows", Align::kRight}, {"file"}, {"from"}});
  for (const Benchmark* benchmark : found) {
    PM_ASSIGN(const auto files, options.places.prepare(*benchmark, session));
    all.push_back(json_of(*benchmark, data));
    for (const PreparedFile& one : files) {
      table.add({benchmark->name, one.split, whole(one.rows), one.file.string(), one.from});
    }
  }
  PM_TRY(session.json() ? print_json(std::move(all), session) : session.print(table.text()));
  return kExitDone;
}

}  // namespace

Command add_benchmarks(CLI::App& app) {
  auto options = std::make_shared<BenchmarksOptions>();
  CLI::App* command = app.add_subcommand("benchmarks", "List, show and prepare benchmarks");
  command->require_subcommand(1);
  add_benchmark_options(*command, options->places);
  add_mirror_option(*command, options->places);
  CLI::App* list = command->add_subcommand("list", "List the benchmarks of the registry");
  CLI::App* show = command->add_subcommand("show", "Show a benchmark, or all tasks of a suite");
  CLI::App* prepare = command->add_subcommand("prepare", "Fetch and check its files");
  for (CLI::App* one : {show, prepare}) {
    one->add_option("name", options->name, "Name of a benchmark or a suite")->required();
  }
  for (CLI::App* one : {list, show, prepare}) one->fallthrough();
  return {command, [options, list, show](Session& session) {
            if (list->parsed()) return list_benchmarks(*options, session);
            if (show->parsed()) return show_benchmarks(*options, session);
            return prepare_benchmarks(*options, session);
          }};
}

}  // namespace prefixmem::client
