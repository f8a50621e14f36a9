// The adapter_config.json of LoRA, which is PEFT's. No LibTorch.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "common/spec/job_spec.h"
#include "common/status.h"

namespace prefixmem::trainer {

// Whether a folder of PEFT or ours with this config is of `method`. INVALID_ARGUMENT with the key,
// its value and what is allowed, also for other variants (patterns of ranks, modules_to_save, …).
// The target modules are not compared.
Status check_lora_config(const nlohmann::json& config, const LoraMethod& method);

// A number as JSON: without a fraction where it has none.
nlohmann::json number_json(double value);

}  // namespace prefixmem::trainer
