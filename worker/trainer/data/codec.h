// The tokenizer of a model as a TextCodec.
#pragma once

#include <filesystem>
#include <memory>

#include "worker/trainer/data/encode.h"

namespace prefixmem::trainer {

// `model`: a folder, or a GGUF file with the tokenizer's files beside it (see find_model). Errors
// as find_model and Tokenizer::load.
Result<std::unique_ptr<TextCodec>> load_codec(const std::filesystem::path& model);

}  // namespace prefixmem::trainer
