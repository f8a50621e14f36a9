// A table of text with aligned columns.
#pragma once

#include <string>
#include <vector>

#include "client/render/text.h"

namespace prefixmem::client {

struct Column {
  std::string title;
  Align align = Align::kLeft;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // One cell a column. Cells lose control characters; an empty one shows as "-".
  void add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  // Title line and rows, two spaces between columns, none at the end of a line. Where `width` is
  // above 0 no line is longer: it is cut.
  std::string text(size_t width = 0) const;
  // As GitHub has it; bars in cells are escaped.
  std::string markdown() const;

 private:
  std::vector<size_t> widths() const;

  const std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// "name:   value" lines with the values in one column. Values lose control characters;
// those that are empty are left out.
std::string fields(const std::vector<std::pair<std::string, std::string>>& pairs);

}  // namespace prefixmem::client
