// Tables of the Rust library as C++ sees them; table.cc is their only caller. Outcomes and buffers
// as ffi.h says.
#pragma once

#include "worker/trainer/tokenizer/ffi.h"

extern "C" {

enum PmTableFormat : int { kPmCsv = 0, kPmTsv = 1, kPmParquet = 2 };

// One that is not required may be missing from the file: its cells are null then.
struct PmColumn {
  PmText name;
  bool required;
};

enum PmCellKind : int {
  kPmNull = 0,
  kPmText = 1,
  kPmJson = 2,  // a number, truth value, list or object
};

struct PmCell {
  PmCellKind kind;
  PmText value;  // lives until the next call with its table
};

// A place in a file. One thread at a time may use it.
struct PmTable;

// `name`: the file's. Its content is `bytes`, which are copied, or where that is null the file
// itself, which is read as the rows go on. Writes `*table`, to be freed once, only under kPmOk.
PmOutcome pm_table_open(PmText name, const PmText* bytes, PmTableFormat format,
                        const PmColumn* columns, size_t count, PmTable** table, PmBuffer* error);

// Writes a cell for each column, in their order, and the row's number from 1: its first line, or in
// Parquet its place. At the end the number is 0 and no cell is written.
PmOutcome pm_table_next(PmTable* table, PmCell* cells, uint64_t* number, PmBuffer* error);

void pm_table_free(PmTable* table);

}  // extern "C"
