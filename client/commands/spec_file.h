// The job spec that a command is given.
#pragma once

#include <string>
#include <vector>

#include "client/commands/benchmark_options.h"
#include "client/session.h"

namespace prefixmem::client {

struct SpecFile {
  BenchmarkOptions places;
  std::string file;                   // "-": standard input
  std::vector<std::string> settings;  // PATH=VALUE
};

// --set and those of benchmarks.
void add_spec_options(CLI::App& command, SpecFile& spec);

// Its text, as it would be sent (submission.h). Failures name the file.
Result<std::string> read_spec(const SpecFile& spec, Session& session);

}  // namespace prefixmem::client
