// Brings a benchmark's files to where jobs read them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "client/benchmarks/benchmark.h"
#include "common/status.h"
#include "common/web/download.h"

namespace prefixmem::client {

inline constexpr std::string_view kPresent = "present";

struct PreparedFile {
  std::string split;
  std::filesystem::path file;
  int64_t rows = 0;
  std::string from;  // kPresent, the mirror's file, or the URL
};

// DATA/NAME/FILE.
std::filesystem::path prepared_path(const std::filesystem::path& data, const Benchmark& benchmark,
                                    const Split& split);

// Makes DATA/NAME hold every file of the benchmark, each written whole or not at all. Tried in
// turn: the file that is there, MIRROR/NAME/FILE (no mirror: an empty path), the public source. A
// file counts only if its sha256 is the registry's. UNAVAILABLE with a sentence for each place
// where none has it.
Result<std::vector<PreparedFile>> prepare_benchmark(const Benchmark& benchmark,
                                                    const std::filesystem::path& data,
                                                    const std::filesystem::path& mirror,
                                                    const web::Download& download);

// FAILED_PRECONDITION, saying how to prepare it, where a file is missing or not the registry's.
Status check_prepared(const Benchmark& benchmark, const std::filesystem::path& data);

}  // namespace prefixmem::client
