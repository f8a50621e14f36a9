// Registries and prepared files, as the command line names them.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "client/benchmarks/bind.h"
#include "client/benchmarks/prepare.h"
#include "client/benchmarks/registry.h"
#include "client/session.h"

namespace prefixmem::client {

struct BenchmarkOptions {
  std::vector<std::string> registries;  // before the shipped one
  std::string data;                     // folder of prepared benchmarks; empty: the user's cache
  std::string mirror;                   // folder of files that is tried before public sources
  bool fetch = false;                   // what is named and not prepared

  Result<Registry> open(const Session& session) const;
  std::filesystem::path data_folder(const Session& session) const;
  // Fetches and checks the files of one.
  Result<std::vector<PreparedFile>> prepare(const Benchmark& benchmark,
                                            const Session& session) const;
  // Of benchmarks that are prepared, or with `fetch` of any. Reads the registries when it is first
  // asked.
  FindBenchmark finder(Session& session) const;
};

// --registry and --benchmark-data.
void add_benchmark_options(CLI::App& command, BenchmarkOptions& places);
// --mirror.
void add_mirror_option(CLI::App& command, BenchmarkOptions& places);

}  // namespace prefixmem::client
