// The configuration of a model that lies on this host.
#pragma once

#include <filesystem>

#include "common/model/config.h"

namespace prefixmem::trainer {

// Reads config.json of a model folder, or what a GGUF file says instead (see find_model). Errors:
// NOT_FOUND (nothing there), DATA_LOSS (no JSON object, a damaged file), INVALID_ARGUMENT (a family
// or setting that is not supported, or no valid value: by key, with its value and what is allowed).
Result<ModelConfig> load_model_config(const std::filesystem::path& model);

}  // namespace prefixmem::trainer
