// A data set in a file: a safetensors file with the rows' ids end to end and where each row ends.
#pragma once

#include <filesystem>

#include "common/status.h"
#include "worker/trainer/data/dataset.h"

namespace prefixmem::trainer {

// Whole or not at all.
Status write_dataset(const std::filesystem::path& file, const Dataset& data);

// What write_dataset wrote. NOT_FOUND; DATA_LOSS where the bytes are no longer those.
Result<Dataset> read_dataset(const std::filesystem::path& file);

}  // namespace prefixmem::trainer
