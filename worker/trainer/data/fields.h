// The fields of a format, taken from the columns of a row and checked.
#pragma once

#include <string>
#include <vector>

#include "common/spec/job_spec.h"
#include "common/status.h"
#include "worker/trainer/data/rows.h"

namespace prefixmem::trainer {

class RowFields {
 public:
  explicit RowFields(const DataSpec& data);

  // What to ask a RowSource for.
  const std::vector<Table::Column>& columns() const { return columns_; }

  // The row of those columns; errors begin with `where`. As read_rows (rows.h).
  Result<Row> row(const SourceRow& source, const std::string& where) const;

 private:
  const DataFormat format_;
  std::vector<Table::Column> columns_;
};

}  // namespace prefixmem::trainer
