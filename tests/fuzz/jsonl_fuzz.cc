#include "tests/fuzz/row_formats.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace prefixmem;
  if (size == 0) return 0;
  fuzz::read_rows_of(fuzz::text_of(data + 1, size - 1), "rows.jsonl", fuzz::row_format(data[0]));
  return 0;
}
