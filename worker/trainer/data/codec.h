// The tokenizer of a model folder as a TextCodec.
#pragma once

#include <filesystem>
#include <memory>

#include "worker/trainer/data/encode.h"

namespace prefixmem::trainer {

// Errors as Tokenizer::load.
Result<std::unique_ptr<TextCodec>> load_codec(const std::filesystem::path& model_folder);

}  // namespace prefixmem::trainer
