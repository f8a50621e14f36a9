// Puts the settings of benchmarks where a job spec names them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/spec/tree.h"
#include "common/status.h"

namespace prefixmem::client {

// A benchmark as a spec has it, the paths of its files included.
struct BenchmarkSettings {
  std::string name;
  spec::Tree job;       // data, objective and eval, for `benchmark`
  spec::Tree held_out;  // mode, metric, data, …: what goes into eval, for `eval.benchmark`
};

// What a name stands for: one benchmark, or all tasks of a suite.
using FindBenchmark = std::function<Result<std::vector<BenchmarkSettings>>(const std::string&)>;

// Wherever `spec` has the key `benchmark` or `eval.benchmark`, itself or in its sweep, puts the
// settings beneath the keys that are given there; those of the spec itself stay above the settings
// of its sweep's benchmarks. In a grid the name of a suite stands for its tasks, and a spec whose
// `benchmark` is a suite becomes a sweep over them. sweep.tune_on keeps the names. What is no name
// is left for the coordinator to refuse. INVALID_ARGUMENT with the key's path; failures of `find`.
Status bind_benchmarks(const FindBenchmark& find, spec::Tree& spec);

}  // namespace prefixmem::client
