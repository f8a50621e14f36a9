// How a gang is started: its spec file, its command line, its GPUs.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/status.h"
#include "worker/agent/attempt/gang_folder.h"
#include "worker/agent/devices/devices.h"
#include "worker/agent/gang/launcher.h"

namespace prefixmem::agent {

struct TrainerPrograms {
  std::filesystem::path mpirun, trainer;  // absolute
  std::filesystem::path cache;            // where all trainers of this host keep encoded rows
  // For gangs over several hosts: Open MPI's daemon, and what mpirun takes for a remote shell.
  std::filesystem::path orted = {}, rsh = {};
};

// What the trainer will read of a spec.
struct LocalSpec {
  std::string yaml;
  std::string method;  // key of the method: prefix_memory, lora, none
  bool uses_gpu = false;
};

// Fills in what only the worker knows: the device where the spec leaves it open, the threads of a
// rank where it asks for the default. INVALID_ARGUMENT for a bad spec, FAILED_PRECONDITION for one
// that wants a GPU from a worker that offers none. Pure.
Result<LocalSpec> localize_spec(const std::string& yaml, const WorkerDevice& device,
                                int threads_per_rank);

// What the trainer is to know of one attempt.
struct TrialFiles {
  std::filesystem::path spec, portable, out;
};

// What a gang may have of this host.
struct HostShare {
  std::vector<std::string> gpus = {};  // ids; empty: those that the agent has
  int64_t memory = 0;                  // bytes of its ranks together; 0: as many as are free
};

// mpirun with the trainer's ranks. `alone`: the job that is named on the command line; none: a
// bank's trials, which folder.bank() lists.
// Pure but for the question whether this is root.
Command trainer_command(const TrainerPrograms& programs, const GangFolder& folder, int ranks,
                        const std::optional<TrialFiles>& alone, const HostShare& share);

// The same for a gang over several hosts, of which this one is the head. The command line is the
// same on every host, so the ranks find their host's files in their environment. Pure but for the
// question whether this is root.
Command head_command(const TrainerPrograms& programs, const GangFolder& folder,
                     const std::vector<GangHost>& hosts, const TrialFiles& trial,
                     const HostShare& share);
// Environment of the ranks on this host, their program's folder first in the search path. Pure.
std::vector<std::string> rank_environment(const TrainerPrograms& programs, const GangFolder& folder,
                                          const TrialFiles& trial, const HostShare& share);
// In the gang's folder, to what each host may have in another place.
Status link_program(const std::filesystem::path& program, const std::filesystem::path& link);

// Content of the file that lists a bank's trials. Pure.
std::string bank_file(const std::vector<TrialFiles>& trials);
// {"join": TRIAL}, newline included: what the ranks are told of one that comes in later. Pure.
std::string join_line(const TrialFiles& trial);

// The `ranks` GPUs with the fewest gangs on them, in the host's order; all of them where there are
// not so many. `gangs_on`: gangs by GPU id. Pure.
std::vector<std::string> choose_gpus(const std::vector<Gpu>& gpus,
                                     const std::map<std::string, int>& gangs_on, int ranks);

}  // namespace prefixmem::agent
