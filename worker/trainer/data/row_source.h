// The rows of a data file one after the other, whatever form it has.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"
#include "worker/trainer/data/jsonl.h"
#include "worker/trainer/tokenizer/table.h"

namespace prefixmem::trainer {

struct SourceRow {
  int64_t number = 0;  // from 1: the line in which it begins, in Parquet its place
  std::vector<std::optional<Json>> values;  // one for each column; none: the row has no such key
};

// A place in a file, which is read as the rows go on, never whole. Not thread-safe.
class RowSource {
 public:
  virtual ~RowSource() = default;
  // False at the end. After a failure there is nothing more to ask for.
  virtual Result<bool> next(SourceRow& row) = 0;
};

// By the file's extension: .csv, .tsv, .parquet; any other is JSON Lines, whose blank lines are
// skipped. Errors name the file and where known the line or row: NOT_FOUND, INVALID_ARGUMENT (a
// folder, no such column, a line that is no JSON object, and what Table refuses), DATA_LOSS (a
// damaged Parquet file, a disk that fails half-way).
Result<std::unique_ptr<RowSource>> open_rows(const std::filesystem::path& file,
                                             const std::vector<Table::Column>& columns);
// The same of a file's content, which is copied; `name` stands for it.
Result<std::unique_ptr<RowSource>> parse_rows(std::string_view content,
                                              const std::filesystem::path& name,
                                              const std::vector<Table::Column>& columns);

// "data/train.jsonl line 3", "data/train.parquet row 3": how messages about a row begin.
std::string row_name(const std::filesystem::path& file, int64_t number);

}  // namespace prefixmem::trainer
