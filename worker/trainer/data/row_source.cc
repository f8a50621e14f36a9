#include "worker/trainer/data/row_source.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <fstream>
#include <sstream>

namespace prefixmem::trainer {
namespace {

using Columns = std::vector<Table::Column>;

class LineSource final : public RowSource {
 public:
  LineSource(std::unique_ptr<std::istream> stream, std::filesystem::path file,
             const Columns& columns)
      : stream_(std::move(stream)), file_(std::move(file)), columns_(columns) {}

  Result<bool> next(SourceRow& row) override {
    while (std::getline(*stream_, text_)) {
      ++line_;
      if (text_.find_first_not_of(" \t\r") == std::string::npos) continue;
      PM_ASSIGN(Json object, parse_json_line(text_, row_name(file_, line_)));
      row.number = line_;
      row.values.clear();
      for (const auto& column : columns_) row.values.push_back(take(object, column.name));
      return true;
    }
    if (!stream_->bad()) return false;
    return data_loss("reading data file " + file_.string() + " failed half-way");
  }

 private:
  static std::optional<Json> take(Json& object, const std::string& key) {
    const auto found = object.find(key);
    if (found == object.end()) return std::nullopt;
    return *found;
  }

  const std::unique_ptr<std::istream> stream_;
  const std::filesystem::path file_;
  const Columns columns_;
  int64_t line_ = 0;
  std::string text_;
};

class TableSource final : public RowSource {
 public:
  TableSource(std::unique_ptr<Table> table, std::filesystem::path file)
      : table_(std::move(table)), file_(std::move(file)) {}

  Result<bool> next(SourceRow& row) override {
    PM_ASSIGN(const bool more, table_->next(cells_));
    row.number = cells_.number;
    row.values.clear();
    for (const auto& cell : cells_.cells) {
      PM_ASSIGN(Json value, value_of(cell));
      row.values.emplace_back(std::move(value));
    }
    return more;
  }

 private:
  Result<Json> value_of(const Table::Cell& cell) const {
    using Kind = Table::Cell::Kind;
    if (cell.kind == Kind::kNull) return Json();
    if (cell.kind == Kind::kText) return Json(std::string(cell.value));
    return parse_json(cell.value, row_name(file_, cells_.number));
  }

  const std::unique_ptr<Table> table_;
  const std::filesystem::path file_;
  Table::Row cells_;
};

std::optional<Table::Format> table_format(const std::filesystem::path& file) {
  std::string extension = file.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (extension == ".csv") return Table::Format::kCsv;
  if (extension == ".tsv") return Table::Format::kTsv;
  if (extension == ".parquet") return Table::Format::kParquet;
  return std::nullopt;
}

std::unique_ptr<RowSource> table_source(std::unique_ptr<Table> table,
                                        const std::filesystem::path& file) {
  return std::make_unique<TableSource>(std::move(table), file);
}

}  // namespace

Result<std::unique_ptr<RowSource>> open_rows(const std::filesystem::path& file,
                                             const Columns& columns) {
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) {
    return invalid_argument(file.string() +
                            " is a folder; allowed: a file of rows (.jsonl, .csv, .tsv, .parquet)");
  }
  auto stream = std::make_unique<std::ifstream>(file, std::ios::binary);
  if (!*stream) return from_errno("opening data file " + file.string(), errno);
  if (const auto format = table_format(file)) {
    PM_ASSIGN(auto table, Table::open(file, *format, columns));
    return table_source(std::move(table), file);
  }
  return std::unique_ptr<RowSource>(std::make_unique<LineSource>(std::move(stream), file, columns));
}

Result<std::unique_ptr<RowSource>> parse_rows(std::string_view content,
                                              const std::filesystem::path& name,
                                              const Columns& columns) {
  if (const auto format = table_format(name)) {
    PM_ASSIGN(auto table, Table::parse(content, name.string(), *format, columns));
    return table_source(std::move(table), name);
  }
  auto stream = std::make_unique<std::istringstream>(std::string(content));
  return std::unique_ptr<RowSource>(std::make_unique<LineSource>(std::move(stream), name, columns));
}

std::string row_name(const std::filesystem::path& file, int64_t number) {
  const bool parquet = table_format(file) == Table::Format::kParquet;
  return file.string() + (parquet ? " row " : " line ") + std::to_string(number);
}

}  // namespace prefixmem::trainer
