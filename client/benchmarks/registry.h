// The benchmarks that a client knows: YAML files in folders.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "client/benchmarks/benchmark.h"
#include "common/status.h"

namespace prefixmem::client {

class Registry {
 public:
  // Reads NAME.yaml of each folder; of files of one name that of the first folder counts. NOT_FOUND
  // for a folder that is not there, INVALID_ARGUMENT naming file and key.
  static Result<Registry> open(const std::vector<std::filesystem::path>& folders);

  // Sorted by name, the tasks of a suite in its order.
  const std::vector<Benchmark>& benchmarks() const { return benchmarks_; }

  // The benchmark of that name, or the tasks of that suite. NOT_FOUND with what there is.
  Result<std::vector<const Benchmark*>> find(std::string_view name) const;

 private:
  std::vector<Benchmark> benchmarks_;
};

}  // namespace prefixmem::client
