// Random numbers for dropout that follow a token wherever it is computed.
#pragma once

#include <cstdint>
#include <vector>

#include "worker/trainer/model/ragged.h"

namespace prefixmem::trainer {

// RaggedBatch::dropout_keys of a batch whose segment i belongs to row `rows[i]`: int64 [T], each a
// function of (seed, step, row, position) alone. Segments that several rows share have no such key.
torch::Tensor dropout_keys(const RaggedBatch& batch, const std::vector<int64_t>& rows,
                           uint64_t seed, int64_t step);

}  // namespace prefixmem::trainer
