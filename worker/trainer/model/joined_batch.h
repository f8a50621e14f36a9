// Several batches as one stream.
#pragma once

#include <cstdint>
#include <vector>

#include "worker/trainer/model/ragged.h"

namespace prefixmem::trainer {

// The streams one after the other, and the labels likewise; no batch sees another's tokens. Where
// some have dropout keys, the tokens of the others have the key 0. All on one device, at least one.
RaggedBatch join_batches(const std::vector<const RaggedBatch*>& batches);

}  // namespace prefixmem::trainer
