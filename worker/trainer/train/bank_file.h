// The list of the trials that train together.
#pragma once

#include <filesystem>
#include <vector>

#include "common/status.h"

namespace prefixmem::trainer {

// One job: its spec (YAML), its output folder, and whether to go on from the newest whole
// checkpoint there.
struct TrialFiles {
  std::filesystem::path spec, out;
  bool resume = false;
};

// {"trials": [{"spec": FILE, "out": DIR, "resume": true|false}, …]}, at least one, each with a
// folder of its own; `resume` may be missing. INVALID_ARGUMENT naming file and trial otherwise,
// DATA_LOSS where it is no JSON.
Result<std::vector<TrialFiles>> read_bank_file(const std::filesystem::path& file);

}  // namespace prefixmem::trainer
