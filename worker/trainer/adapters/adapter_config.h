// adapter_config.json as text: what method it says, without the folder around it. No LibTorch.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/spec/job_spec.h"
#include "common/status.h"

namespace prefixmem::trainer {

// DATA_LOSS where the text is no JSON object, or one that parse_strict_json refuses.
Result<nlohmann::json> parse_adapter_config(std::string_view text);

struct StoredConfig {
  MethodSpec method;                    // without what such a file does not say; without `parts`
  std::vector<std::string> parts = {};  // of a combined method: folders, named as their methods
};

// Ours or PEFT's (LoRA, Prefix-Tuning: the plain prefix that such a folder holds). INVALID_ARGUMENT
// with the key, its value and what is allowed where it names no method of ours, or lacks a setting
// of it. Whether the method fits a model, and all else in the file, is Adapter::load's to check.
Result<StoredConfig> stored_config(const nlohmann::json& config);

}  // namespace prefixmem::trainer
