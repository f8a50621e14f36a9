// One benchmark of a registry (docs/benchmarks-registry.md): where its rows come from, how they are
// told to be the right ones, and what it puts into a job spec.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/spec/tree.h"
#include "common/status.h"

namespace re2 {
class RE2;
}

namespace prefixmem::client {

// A regular expression of RE2 that compiles.
using Pattern = std::shared_ptr<const re2::RE2>;

// A field of a row, made from an original one.
struct FieldRule {
  std::string name;
  std::string from;  // a key or column, or with a leading '/' a JSON pointer
  std::vector<std::pair<Pattern, std::string>> replace;  // what stands for all that matches
  std::vector<FieldRule> each;                           // of a list of objects: those of each
};

// How a published file becomes rows of JSON Lines.
struct Original {
  enum class Format { kJson, kJsonl, kCsv, kTsv };
  Format format = Format::kJsonl;
  std::string at;                    // json: pointer to the list of rows
  std::vector<std::string> columns;  // csv, tsv: names of the columns where no line gives them
  std::vector<std::pair<std::string, Pattern>> where;  // key → what the rows kept match
  std::optional<int64_t> shuffle;  // seed of Python's random.Random(seed).shuffle
  std::string per;  // key whose values' rows are shuffled and taken apart; empty: all rows together
  std::vector<FieldRule> fields;  // in the order in which they are written
};

// A file of rows, JSON Lines.
struct Split {
  std::string file;  // its name in the benchmark's folder
  int64_t rows = 0;
  std::string sha256;
  std::string url;  // of the original, or without `original` of the file itself; empty: none
  std::optional<std::pair<int64_t, int64_t>> take;  // rows [first, end) of the original
};

struct Benchmark {
  std::string name;  // of a suite's task "suite/task"
  std::string about, licence, source;
  std::optional<Split> train, validation, test;
  std::optional<Original> original;
  spec::Tree settings = spec::Tree::map();  // data, objective and eval of a job spec, without files

  // Those that there are, with their names.
  std::vector<std::pair<std::string_view, const Split*>> splits() const;
  // "suite" of "suite/task"; empty for a benchmark of its own.
  std::string suite() const;
};

// The benchmark, or the tasks of the suite, of a registry's file; `name` is that of the file.
// INVALID_ARGUMENT naming the key at fault, those of `spec` included.
Result<std::vector<Benchmark>> read_benchmarks(const spec::Tree& file, const std::string& name);

}  // namespace prefixmem::client
