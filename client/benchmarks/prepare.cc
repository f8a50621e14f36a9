#include "client/benchmarks/prepare.h"

#include <map>

#include "client/benchmarks/original.h"
#include "common/files.h"
#include "common/sha256.h"

namespace prefixmem::client {
namespace {

namespace fs = std::filesystem;

using SplitRows = std::map<const Split*, std::string>;

// Of the splits of a benchmark that are parts of the file at `url`.
Result<SplitRows> rows_at(const Benchmark& benchmark, const std::string& url,
                          const web::Download& download) {
  std::vector<const Split*> splits;
  for (const auto& [name, split] : benchmark.splits()) {
    if (split->url == url) splits.push_back(split);
  }
  PM_ASSIGN(const std::string body, download(url));
  SplitRows rows;
  if (!benchmark.original) {
    for (const Split* split : splits) rows[split] = body;
    return rows;
  }
  auto texts = convert_original(body, *benchmark.original, splits);
  if (!texts.ok()) return texts.status().with_context(url);
  for (size_t i = 0; i < splits.size(); ++i) rows[splits[i]] = std::move((*texts)[i]);
  return rows;
}

// Downloads of one benchmark, each made once.
class Originals {
 public:
  explicit Originals(const web::Download& download) : download_(download) {}

  Result<std::string> rows(const Benchmark& benchmark, const Split& split) {
    if (split.url.empty()) {
      return not_found("the registry has no URL to make it from; it is published at " +
                       benchmark.source);
    }
    const auto [known, is_new] = files_.try_emplace(split.url, SplitRows());
    if (is_new) known->second = rows_at(benchmark, split.url, download_);
    PM_TRY(known->second.status());
    return known->second->at(&split);
  }

 private:
  const web::Download& download_;
  std::map<std::string, Result<SplitRows>> files_;
};

Result<std::string> checked(Result<std::string> bytes, const std::string& place,
                            const Split& split) {
  PM_TRY(bytes.status());
  const std::string sum = sha256_hex(*bytes);
  if (sum == split.sha256) return bytes;
  return data_loss(place + " has the wrong checksum: " + sum + ", the registry says " +
                   split.sha256);
}

struct Found {
  std::string bytes;
  std::string from;
};

Result<Found> find_bytes(const Benchmark& benchmark, const Split& split, const fs::path& mirror,
                         Originals& originals) {
  std::string reasons;
  if (!mirror.empty()) {
    const fs::path file = mirror / benchmark.name / split.file;
    auto bytes = checked(read_file(file), file.string(), split);
    if (bytes.ok()) return Found{std::move(*bytes), file.string()};
    reasons = bytes.status().message() + "; ";
  }
  auto bytes = checked(originals.rows(benchmark, split), split.url, split);
  if (bytes.ok()) return Found{std::move(*bytes), split.url};
  return unavailable(benchmark.name + "/" + split.file + " cannot be had: " + reasons +
                     bytes.status().message());
}

bool is_present(const fs::path& file, const Split& split) {
  const auto sum = sha256_of_file(file);
  return sum.ok() && *sum == split.sha256;
}

}  // namespace

fs::path prepared_path(const fs::path& data, const Benchmark& benchmark, const Split& split) {
  return data / benchmark.name / split.file;
}

Result<std::vector<PreparedFile>> prepare_benchmark(const Benchmark& benchmark,
                                                    const fs::path& data, const fs::path& mirror,
                                                    const web::Download& download) {
  Originals originals(download);
  std::vector<PreparedFile> files;
  for (const auto& [name, split] : benchmark.splits()) {
    const fs::path file = prepared_path(data, benchmark, *split);
    std::string from(kPresent);
    if (!is_present(file, *split)) {
      PM_ASSIGN(Found found, find_bytes(benchmark, *split, mirror, originals));
      PM_TRY(make_folders(file.parent_path()));
      PM_TRY(write_file_atomic(file, found.bytes));
      from = std::move(found.from);
    }
    files.push_back({std::string(name), file, split->rows, std::move(from)});
  }
  return files;
}

Status check_prepared(const Benchmark& benchmark, const fs::path& data) {
  for (const auto& [name, split] : benchmark.splits()) {
    const fs::path file = prepared_path(data, benchmark, *split);
    if (is_present(file, *split)) continue;
    return failed_precondition("benchmark " + benchmark.name + " is not prepared: " +
                               file.string() + " is not the registry's " + std::string(name) +
                               " split; run: pmt benchmarks prepare " + benchmark.name);
  }
  return {};
}

}  // namespace prefixmem::client
