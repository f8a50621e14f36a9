// Loads what an adapter's folder describes and compares it with the folder's golden probe.
#pragma once

#include <filesystem>
#include <string>

#include "common/status.h"
#include "worker/trainer/proof/judge.h"

namespace prefixmem::trainer {

// `base_model`: of the adapter; empty: the one that its probe names. A folder without an
// adapter_config.json is a whole model, trained in full or merged. Errors as read_probe,
// Decoder::load, stored_method and Adapter::load.
Result<Verdict> verify_folder(const std::filesystem::path& folder, const std::string& base_model);

}  // namespace prefixmem::trainer
