// The list of the trials that train together.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "common/status.h"

namespace prefixmem::trainer {

// One job: its spec (YAML), its output folder, and whether to go on from the newest whole
// checkpoint there.
struct TrialFiles {
  std::filesystem::path spec, out;
  bool resume = false;
  // The same spec with names in the place of this host's paths: what checkpoints bear, so that they
  // go on on another host. Empty: `spec` itself.
  std::filesystem::path portable;
};

// {"spec": FILE, "out": DIR, "resume": true|false, "portable": FILE}; the last two may be missing.
// INVALID_ARGUMENT for anything else.
Result<TrialFiles> trial_files(const nlohmann::json& trial);

// {"trials": [TRIAL, …]}, at least one, each with a folder of its own. INVALID_ARGUMENT naming file
// and trial otherwise, DATA_LOSS where it is no JSON.
Result<std::vector<TrialFiles>> read_bank_file(const std::filesystem::path& file);

}  // namespace prefixmem::trainer
