// Registries and prepared files, as the command line names them.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "client/benchmarks/bind.h"
#include "client/benchmarks/registry.h"
#include "client/session.h"

namespace prefixmem::client {

struct BenchmarkOptions {
  std::vector<std::string> registries;  // before the shipped one
  std::string data;                     // folder of prepared benchmarks; empty: the user's cache

  Result<Registry> open(const Session& session) const;
  std::filesystem::path data_folder(const Session& session) const;
  // Of benchmarks that are prepared. Reads the registries when it is first asked.
  FindBenchmark finder(const Session& session) const;
};

// --registry and --benchmark-data.
void add_benchmark_options(CLI::App& command, BenchmarkOptions& places);

}  // namespace prefixmem::client
