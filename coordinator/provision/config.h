// The file that says how the coordinator brings workers.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/status.h"
#include "coordinator/scheduler/fleet.h"

namespace prefixmem::provision {

struct Config {
  std::filesystem::path script;        // that sbatch is given
  std::vector<std::string> arguments;  // of sbatch, before ours
  scheduler::FleetLimits limits;
  Millis poll{10'000};  // between two looks at the batch system
};

// Its keys are those of docs/slurm.md. INVALID_ARGUMENT with the file, the key, its value and what
// is allowed.
Result<Config> read_config(const std::filesystem::path& file);
// A relative script is looked for in `folder`.
Result<Config> parse_config(std::string_view yaml, const std::filesystem::path& folder);

}  // namespace prefixmem::provision
