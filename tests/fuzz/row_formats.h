// The first byte of an input says how its rows are to be read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/fuzz/outcome.h"
#include "worker/trainer/data/rows.h"

namespace prefixmem::fuzz {

inline DataSpec row_format(uint8_t choice) {
  constexpr DataFormat kFormats[] = {DataFormat::kPromptCompletion, DataFormat::kTextLabel,
                                     DataFormat::kMessages, DataFormat::kPreference};
  DataSpec data;
  data.format = kFormats[choice % 4];
  return data;
}

// `name`: as of a file with these rows.
inline void read_rows_of(std::string_view content, const std::string& name, const DataSpec& data) {
  const auto rows = trainer::read_rows(content, name, data);
  require_clear(rows.status());
  if (rows.ok()) require(!rows->empty(), "no row and no word about it");
}

}  // namespace prefixmem::fuzz
