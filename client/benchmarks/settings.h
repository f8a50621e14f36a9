// What a prepared benchmark puts into a job spec.
#pragma once

#include <filesystem>

#include "client/benchmarks/benchmark.h"
#include "client/benchmarks/bind.h"

namespace prefixmem::client {

// With the paths of its files beneath `data`, the folder of prepared benchmarks.
BenchmarkSettings settings_of(const Benchmark& benchmark, const std::filesystem::path& data);

}  // namespace prefixmem::client
