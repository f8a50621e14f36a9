#include "worker/trainer/tokenizer/table.h"

#include "worker/trainer/tokenizer/answer.h"
#include "worker/trainer/tokenizer/table_ffi.h"

namespace prefixmem::trainer {
namespace {

PmTableFormat format_of(Table::Format format) {
  switch (format) {
    case Table::Format::kCsv:
      return kPmCsv;
    case Table::Format::kTsv:
      return kPmTsv;
    case Table::Format::kParquet:
      break;
  }
  return kPmParquet;
}

Table::Cell cell_of(const PmCell& cell) {
  using Kind = Table::Cell::Kind;
  const std::string_view value(cell.value.data, cell.value.size);
  switch (cell.kind) {
    case kPmNull:
      return {Kind::kNull, {}};
    case kPmText:
      return {Kind::kText, value};
    case kPmJson:
      break;
  }
  return {Kind::kJson, value};
}

}  // namespace

void Table::Free::operator()(PmTable* table) const { pm_table_free(table); }

Result<std::unique_ptr<Table>> Table::open(const std::filesystem::path& file, Format format,
                                           const std::vector<Column>& columns) {
  return make(file.string(), nullptr, format, columns);
}

Result<std::unique_ptr<Table>> Table::parse(std::string_view content, const std::string& name,
                                            Format format, const std::vector<Column>& columns) {
  return make(name, &content, format, columns);
}

Result<std::unique_ptr<Table>> Table::make(const std::string& name, const std::string_view* content,
                                           Format format, const std::vector<Column>& columns) {
  std::vector<PmColumn> wanted;
  for (const Column& column : columns) wanted.push_back({as_text(column.name), column.required});
  const PmText bytes = content != nullptr ? as_text(*content) : PmText{};
  PmTable* raw = nullptr;
  Answer answer;
  PM_TRY(answer.status(pm_table_open(as_text(name), content != nullptr ? &bytes : nullptr,
                                     format_of(format), wanted.data(), wanted.size(), &raw,
                                     answer.slot())));
  return std::unique_ptr<Table>(new Table(Handle(raw), columns.size()));
}

Result<bool> Table::next(Row& row) {
  std::vector<PmCell> cells(columns_);
  uint64_t number = 0;
  Answer answer;
  PM_TRY(answer.status(pm_table_next(handle_.get(), cells.data(), &number, answer.slot())));
  row.number = static_cast<int64_t>(number);
  row.cells.clear();
  if (number == 0) return false;
  for (const PmCell& cell : cells) row.cells.push_back(cell_of(cell));
  return true;
}

}  // namespace prefixmem::trainer
