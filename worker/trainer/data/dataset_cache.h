// Encoded rows kept between runs, so that jobs with the same data and tokenizer encode them once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "common/spec/job_spec.h"
#include "common/status.h"
#include "worker/trainer/data/dataset.h"

namespace prefixmem::trainer {

// SHA-256 of all that load_dataset's result depends on: the content of the data's and the
// tokenizer's files, the spec's keys on data, `positions`, and this program itself.
Result<std::string> dataset_key(const JobSpec& spec, const Positions& positions);

// A folder with a file for each key. Any number of processes may use one at the same time.
class DatasetCache {
 public:
  // Beyond `max_bytes` the files that were not used for the longest time are removed.
  explicit DatasetCache(std::filesystem::path folder, int64_t max_bytes = int64_t{4} << 30)
      : folder_(std::move(folder)), max_bytes_(max_bytes) {}

  // As load_dataset, from the folder where it is there. A folder that fails, or a file in it that
  // is damaged, costs the time saved and is told in Dataset::notes; the result is the same.
  Result<Dataset> load(const JobSpec& spec, const TextCodec& codec,
                       const Positions& positions) const;

 private:
  Status keep(const std::filesystem::path& file, const Dataset& data) const;
  Status trim() const;

  std::filesystem::path folder_;
  int64_t max_bytes_;
};

}  // namespace prefixmem::trainer
