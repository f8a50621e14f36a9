// Slurm, through its own programs: sbatch, squeue, scancel.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/provision/batch_system.h"
#include "coordinator/provision/config.h"

namespace prefixmem::provision {

// `name`: of its jobs in Slurm, which nobody else's have. `stop` ends what is being waited for.
std::unique_ptr<BatchSystem> make_slurm(const Config& config, std::string name,
                                        std::stop_token stop);

// What `squeue --format=%i|%T` says. UNAVAILABLE where it is anything else.
Result<std::vector<scheduler::Allocation>> parse_queue(std::string_view text);
// What `sbatch --parsable` says: "1234" or "1234;cluster". As "slurm:1234".
Result<std::string> parse_submission(std::string_view text);

}  // namespace prefixmem::provision
