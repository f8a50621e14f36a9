// Rows of a micro-batch as one ragged stream.
#pragma once

#include <cstdint>
#include <vector>

#include "worker/trainer/data/example.h"
#include "worker/trainer/model/ragged.h"

namespace prefixmem::trainer {

// One segment a row, labels at every id behind the prompt.
RaggedBatch pack_rows(const std::vector<int64_t>& rows, const std::vector<Example>& examples);

}  // namespace prefixmem::trainer
