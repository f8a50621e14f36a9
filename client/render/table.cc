#include "client/render/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace prefixmem::client {
namespace {

std::string line_of(const std::vector<std::string>& cells, const std::vector<Column>& columns,
                    const std::vector<size_t>& widths, size_t width) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    line += (i == 0 ? "" : "  ") + padded(cells[i], widths[i], columns[i].align);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return (width > 0 ? cut(line, width) : line) + "\n";
}

std::string escaped_bars(const std::string& cell) {
  std::string escaped;
  for (const char c : cell) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

}  // namespace

void Table::add(std::vector<std::string> cells) {
  assert(cells.size() == columns_.size());
  for (std::string& cell : cells) {
    cell = printable(cell);
    if (cell.empty()) cell = "-";
  }
  rows_.push_back(std::move(cells));
}

std::vector<size_t> Table::widths() const {
  std::vector<size_t> widths;
  for (size_t i = 0; i < columns_.size(); ++i) {
    widths.push_back(columns_of(columns_[i].title));
    for (const auto& row : rows_) widths[i] = std::max(widths[i], columns_of(row[i]));
  }
  return widths;
}

std::string Table::text(size_t width) const {
  const auto all_widths = widths();
  std::vector<std::string> titles;
  for (const Column& column : columns_) titles.push_back(column.title);
  std::string text = line_of(titles, columns_, all_widths, width);
  for (const auto& row : rows_) text += line_of(row, columns_, all_widths, width);
  return text;
}

std::string Table::markdown() const {
  std::string text = "|";
  std::string rule = "|";
  for (const Column& column : columns_) {
    text += fmt::format(" {} |", column.title);
    rule += column.align == Align::kRight ? "---:|" : "---|";
  }
  text += fmt::format("\n{}\n", rule);
  for (const auto& row : rows_) {
    text += '|';
    for (const std::string& cell : row) text += fmt::format(" {} |", escaped_bars(cell));
    text += '\n';
  }
  return text;
}

std::string fields(const std::vector<std::pair<std::string, std::string>>& pairs) {
  size_t widest = 0;
  for (const auto& [name, value] : pairs) {
    if (!value.empty()) widest = std::max(widest, columns_of(name));
  }
  std::string text;
  for (const auto& [name, value] : pairs) {
    if (!value.empty())
      text += padded(name + ":", widest + 3, Align::kLeft) + printable(value) + "\n";
  }
  return text;
}

}  // namespace prefixmem::client
