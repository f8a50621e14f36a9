// The rows of a CSV, TSV or Parquet file, one after the other.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

struct PmTable;

namespace prefixmem::trainer {

// A place in a file of rows. CSV and TSV: the first line names the columns, quotes are as in RFC
// 4180 and every cell is text. Parquet (uncompressed, snappy, gzip, zstd): columns of text are
// text, null is null, everything else is JSON; dates and decimals become JSON strings. A file is
// read as the rows go on, never whole. Not thread-safe.
class Table {
 public:
  enum class Format { kCsv, kTsv, kParquet };
  // One that is not required may be missing from the file: its cells are null then.
  struct Column {
    std::string name;
    bool required = true;
  };
  struct Cell {
    enum class Kind { kNull, kText, kJson };
    Kind kind = Kind::kNull;
    std::string_view value;
  };
  // Its views live until the next row is asked for.
  struct Row {
    int64_t number = 0;       // from 1: the line in which it begins, in Parquet its place
    std::vector<Cell> cells;  // one for each column, in their order
  };

  // Errors name the file, and where known the line or row: INVALID_ARGUMENT (no such column, a row
  // of another length, text that is no UTF-8, a quote never closed, another compression, a file
  // that cannot be opened), DATA_LOSS (damaged).
  static Result<std::unique_ptr<Table>> open(const std::filesystem::path& file, Format format,
                                             const std::vector<Column>& columns);
  // The same of a file's content; `name` stands for it in messages.
  static Result<std::unique_ptr<Table>> parse(std::string_view content, const std::string& name,
                                              Format format, const std::vector<Column>& columns);

  // False at the end. After a failure there is nothing more to ask for.
  Result<bool> next(Row& row);

 private:
  struct Free {
    void operator()(PmTable* table) const;
  };
  using Handle = std::unique_ptr<PmTable, Free>;
  Table(Handle handle, size_t columns) : handle_(std::move(handle)), columns_(columns) {}
  static Result<std::unique_ptr<Table>> make(const std::string& name,
                                             const std::string_view* content, Format format,
                                             const std::vector<Column>& columns);

  const Handle handle_;
  const size_t columns_;
};

}  // namespace prefixmem::trainer
