// An adapter's folder: adapter_model.safetensors and adapter_config.json.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "common/status.h"
#include "worker/trainer/adapters/adapter.h"

namespace prefixmem::trainer {

// Writes both files into an existing folder.
Status save_adapter_files(const std::filesystem::path& folder,
                          const std::vector<Parameter>& parameters, const nlohmann::json& config);

// Writes adapter_config.json alone.
Status save_adapter_config(const std::filesystem::path& folder, const nlohmann::json& config);

// adapter_config.json. NOT_FOUND or DATA_LOSS, with the file.
Result<nlohmann::json> read_adapter_config(const std::filesystem::path& folder);

// Copies the values of adapter_model.safetensors, of any float type, into the parameters. All or
// nothing: INVALID_ARGUMENT where the file lacks one of them, has another shape for it, or holds a
// tensor that is none of them; NOT_FOUND or DATA_LOSS where the file is missing or damaged.
Status load_parameters(const std::filesystem::path& folder, std::vector<Parameter>& parameters);

}  // namespace prefixmem::trainer
