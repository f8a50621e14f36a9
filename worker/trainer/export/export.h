// A model folder that holds an adapter in its weights.
#pragma once

#include <filesystem>
#include <string>

#include "common/status.h"

namespace prefixmem::trainer {

// Writes the Hugging Face folder `out`, which must not exist yet: for LoRA the base with
// W + what the adapter adds, computed in fp32 and rounded once to the base's dtype; for full
// fine-tuning the folder as it is. The golden probe goes with it, its digest that of the new
// weights. `base_model` as in verify_folder. Complete or not there.
//
// INVALID_ARGUMENT for a method that no weights can hold (PrefixMemory, Prefix-Tuning) and for LoRA
// on a base in GGUF, saying what to do instead; NOT_FOUND, FAILED_PRECONDITION (`out` is there),
// DATA_LOSS.
Status export_folder(const std::filesystem::path& folder, const std::string& base_model,
                     const std::filesystem::path& out);

}  // namespace prefixmem::trainer
