// The key-value pairs at the beginning of a GGUF file.
#pragma once

#include <nlohmann/json.hpp>

#include "common/status.h"
#include "worker/trainer/model/byte_cursor.h"

namespace prefixmem::trainer {

// Reads `count` pairs into one object. A float of 4 bytes becomes the shortest decimal that names
// it, as config.json has it: 1e-06. A text above 64 KiB and a list of more than 4096 elements are
// checked, not kept: null. DATA_LOSS: more than 4096 pairs, a key that is empty, too long or given
// twice, a type that is not known, a list of lists, a bool that is neither 0 nor 1, an end within.
Result<nlohmann::json> read_gguf_metadata(ByteCursor& cursor, uint64_t count);

}  // namespace prefixmem::trainer
