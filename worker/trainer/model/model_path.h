// Where a model's parts lie.
#pragma once

#include <filesystem>

#include "common/status.h"

namespace prefixmem::trainer {

struct ModelPath {
  std::filesystem::path folder;  // of the tokenizer; of config.json and safetensors too, unless
  std::filesystem::path gguf;    // this file has configuration and weights; empty: it has not
};

// `model`: a Hugging Face folder, a folder with one .gguf file and no safetensors, or such a file.
// Errors: NOT_FOUND (nothing there), INVALID_ARGUMENT (another kind of file; several .gguf files).
Result<ModelPath> find_model(const std::filesystem::path& model);

}  // namespace prefixmem::trainer
