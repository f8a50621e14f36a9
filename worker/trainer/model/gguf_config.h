// What a decoder is made of, read from a GGUF file's metadata.
#pragma once

#include "common/model/config.h"
#include "common/status.h"
#include "worker/trainer/model/gguf_file.h"

namespace prefixmem::trainer {

// The equivalent of config.json, then read as that is: architectures llama (mistral where it has a
// sliding window), qwen2, qwen3 and gemma3. The rows of token_embd.weight are the vocabulary, an
// output.weight means untied embeddings, rope_freqs.weight divides llama's frequencies. Errors:
// INVALID_ARGUMENT (another architecture, a part of a split file, a key of the architecture that is
// not understood or a value that is not supported: by key), DATA_LOSS (a missing or wrong tensor).
Result<ModelConfig> gguf_model_config(const GgufFile& file);

}  // namespace prefixmem::trainer
