#include "client/benchmarks/benchmark.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>

#include "common/sha256.h"
#include "common/spec/limit.h"
#include "common/spec/map_reader.h"
#include "common/spec/override.h"
#include "common/spec/spec_tree.h"

namespace prefixmem::client {
namespace {

using spec::MapReader;
using spec::Tree;

constexpr std::array<std::pair<std::string_view, Original::Format>, 4> kFormats = {
    {{"json", Original::Format::kJson},
     {"jsonl", Original::Format::kJsonl},
     {"csv", Original::Format::kCsv},
     {"tsv", Original::Format::kTsv}}};

Pattern compiled(const std::string& text, std::string_view key, MapReader& reader) {
  auto pattern = std::make_shared<const RE2>(text, RE2::Quiet);
  if (!pattern->ok()) reader.fail(key, "regular expressions of RE2: " + pattern->error());
  return pattern;
}

// A key of a row, or a JSON pointer.
std::string place(std::string_view key, MapReader& reader) {
  std::string text = reader.text(key);
  if (text.find('~') != text.npos) reader.fail(key, "text without '~'");
  return text;
}

std::string filled(std::string pattern, const std::string& task) {
  constexpr std::string_view kTask = "{task}";
  const size_t at = pattern.find(kTask);
  return at == pattern.npos ? pattern : pattern.replace(at, kTask.size(), task);
}

Status read_split(const Tree& tree, const std::string& path, const std::string& task,
                  std::optional<Split>& out) {
  MapReader reader(tree, path);
  Split split;
  split.file = reader.required_text("file");
  if (split.file.find('/') != split.file.npos) reader.fail("file", "a name without '/'");
  split.rows = reader.number("rows").value_or(0);
  if (split.rows < 1) reader.fail("rows", "a whole number of at least 1");
  split.sha256 = reader.required_text("sha256");
  if (!is_sha256(split.sha256)) reader.fail("sha256", "64 of 0-9 and a-f");
  split.url = filled(reader.text("url"), task);
  if (const auto take = reader.numbers("take"); take.size() == 2 && take[0] < take[1]) {
    split.take = {take[0], take[1]};
  } else if (!take.empty()) {
    reader.fail("take", "two numbers: [first, end]");
  }
  out = std::move(split);
  return reader.finish();
}

Status read_splits(const Tree& tree, const std::string& task, Benchmark& out) {
  MapReader reader(tree, "splits");
  for (auto [key, split] :
       {std::pair("train", &out.train), std::pair("validation", &out.validation),
        std::pair("test", &out.test)}) {
    const Tree* given = reader.map(key);
    if (given != nullptr) PM_TRY(read_split(*given, reader.path_of(key), task, *split));
  }
  if (!out.test) reader.fail("test", "a map of keys");
  return reader.finish();
}

Result<std::vector<FieldRule>> read_fields(const Tree& tree, const std::string& path) {
  std::vector<FieldRule> fields;
  for (const Tree::Entry& entry : tree.entries) {
    MapReader reader(entry.value, path + "." + entry.key);
    FieldRule& field = fields.emplace_back();
    field.name = entry.key;
    field.from = place("from", reader);
    if (field.from.empty()) reader.fail("from", "text");
    for (const auto& [pattern, with] : reader.text_pairs("replace")) {
      field.replace.emplace_back(compiled(pattern, "replace", reader), with);
    }
    if (const Tree* each = reader.map("each")) {
      PM_ASSIGN(field.each, read_fields(*each, reader.path_of("each")));
    }
    PM_TRY(reader.finish());
  }
  return fields;
}

Status read_original(const Tree& tree, std::optional<Original>& out) {
  MapReader reader(tree, "original");
  Original original;
  const std::string format = reader.required_text("format");
  const auto* found = std::find_if(kFormats.begin(), kFormats.end(),
                                   [&](const auto& one) { return one.first == format; });
  if (found == kFormats.end()) {
    reader.fail("format", "json, jsonl, csv, tsv");
  } else {
    original.format = found->second;
  }
  original.at = place("at", reader);
  original.columns = reader.texts("columns");
  for (const auto& [from, pattern] : reader.text_pairs("where")) {
    original.where.emplace_back(from, compiled(pattern, "where", reader));
  }
  original.shuffle = reader.number("shuffle");
  original.per = place("per", reader);
  if (!original.per.empty() && !original.shuffle) reader.fail("per", "a key, beside `shuffle`");
  const Tree* fields = reader.map("fields");
  if (fields == nullptr || fields->entries.empty()) reader.fail("fields", "a map of keys");
  PM_TRY(reader.finish());
  PM_ASSIGN(original.fields, read_fields(*fields, "original.fields"));
  out = std::move(original);
  return {};
}

// That a job with these settings is one: its model and files are the job's own.
Status check_settings(const Benchmark& benchmark) {
  Tree spec = benchmark.settings;
  spec.set("name", Tree::text("x"));
  spec.set("model", Tree::text("x"));
  spec.set("method", Tree::text("none"));
  return spec::read_valid(spec).status().with_context("spec");
}

Result<Benchmark> read_benchmark(const Tree& tree, std::string name, const std::string& task) {
  Benchmark benchmark;
  benchmark.name = std::move(name);
  MapReader reader(tree, "");
  benchmark.about = reader.required_text("about");
  benchmark.licence = reader.required_text("licence");
  benchmark.source = reader.required_text("source");
  const Tree* splits = reader.map("splits");
  const Tree* original = reader.map("original");
  const Tree* settings = reader.map("spec");
  if (splits == nullptr) reader.fail("splits", "a map of keys");
  if (settings == nullptr) reader.fail("spec", "a map of keys");
  PM_TRY(reader.finish());
  PM_TRY(read_splits(*splits, task, benchmark));
  if (original != nullptr) PM_TRY(read_original(*original, benchmark.original));
  MapReader keys(*settings, "spec");
  for (const auto& [key, value] :
       {std::pair("data", keys.map("data")), std::pair("objective", keys.any("objective")),
        std::pair("eval", keys.map("eval"))}) {
    if (value != nullptr) benchmark.settings.set(key, *value);
  }
  PM_TRY(keys.finish());
  PM_TRY(check_settings(benchmark));
  return benchmark;
}

Status check_name(const std::string& name) {
  if (spec::is_name(name)) return {};
  return invalid_argument("the name \"" + name +
                          "\" is not one; allowed: " + std::string(spec::kNameText));
}

}  // namespace

std::vector<std::pair<std::string_view, const Split*>> Benchmark::splits() const {
  std::vector<std::pair<std::string_view, const Split*>> all;
  if (train) all.emplace_back("train", &*train);
  if (validation) all.emplace_back("validation", &*validation);
  if (test) all.emplace_back("test", &*test);
  return all;
}

std::string Benchmark::suite() const {
  const size_t slash = name.find('/');
  return slash == name.npos ? "" : name.substr(0, slash);
}

Result<std::vector<Benchmark>> read_benchmarks(const Tree& file, const std::string& name) {
  PM_TRY(check_name(name));
  const Tree* tasks = file.find("tasks");
  std::vector<Benchmark> benchmarks;
  if (tasks == nullptr) {
    PM_ASSIGN(Benchmark benchmark, read_benchmark(file, name, ""));
    benchmarks.push_back(std::move(benchmark));
    return benchmarks;
  }
  if (!tasks->is_map() || tasks->entries.empty()) {
    return invalid_argument("tasks is no map of keys; allowed: a map of tasks");
  }
  Tree common = Tree::map();
  for (const Tree::Entry& entry : file.entries) {
    if (entry.key != "tasks") common.set(entry.key, entry.value);
  }
  for (const Tree::Entry& task : tasks->entries) {
    PM_TRY(check_name(task.key));
    Tree whole = task.value;
    spec::fill_in(common, whole);
    auto benchmark = read_benchmark(whole, name + "/" + task.key, task.key);
    if (!benchmark.ok()) return benchmark.status().with_context("tasks." + task.key);
    benchmarks.push_back(std::move(benchmark).value());
  }
  return benchmarks;
}

}  // namespace prefixmem::client
