// One reader of config.json for each family; faults are left in `fields`.
#pragma once

#include "common/model/config.h"
#include "common/model/config_fields.h"

namespace prefixmem {

// Each fills in all of ModelConfig but `family`.
void read_llama(ConfigFields& fields, ModelConfig& config);
void read_mistral(ConfigFields& fields, ModelConfig& config);
void read_qwen2(ConfigFields& fields, ModelConfig& config);
void read_qwen3(ConfigFields& fields, ModelConfig& config);
void read_gemma3(ConfigFields& fields, ModelConfig& config);

}  // namespace prefixmem
