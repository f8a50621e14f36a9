// One reader of config.json for each family; faults are left in `fields`.
#pragma once

#include "worker/trainer/model/config.h"
#include "worker/trainer/model/config_fields.h"

namespace prefixmem::trainer {

// Each fills in all of ModelConfig but `family`.
void read_llama(ConfigFields& fields, ModelConfig& config);
void read_mistral(ConfigFields& fields, ModelConfig& config);
void read_qwen2(ConfigFields& fields, ModelConfig& config);
void read_qwen3(ConfigFields& fields, ModelConfig& config);
void read_gemma3(ConfigFields& fields, ModelConfig& config);

}  // namespace prefixmem::trainer
