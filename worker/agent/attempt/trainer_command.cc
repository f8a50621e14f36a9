#include "worker/agent/attempt/trainer_command.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "common/spec/spec_io.h"
#include "worker/agent/hosts/daemon_command.h"

namespace prefixmem::agent {
namespace {

using nlohmann::ordered_json;

ordered_json to_json(const TrialFiles& trial) {
  return {{"spec", trial.spec.string()},
          {"out", trial.out.string()},
          {"resume", true},
          {"portable", trial.portable.string()}};
}

void append(std::vector<std::string>& words, std::initializer_list<std::string> more) {
  words.insert(words.end(), more);
}

std::vector<std::string> gang_environment(const GangFolder& folder, const HostShare& share) {
  std::vector<std::string> environment = {folder.mark()};
  std::string visible;
  for (const std::string& gpu : share.gpus) visible += (visible.empty() ? "" : ",") + gpu;
  if (!share.gpus.empty()) environment.push_back("CUDA_VISIBLE_DEVICES=" + visible);
  if (share.memory > 0) {
    environment.push_back("PREFIXMEM_TRAINER_MEMORY=" + std::to_string(share.memory));
  }
  return environment;
}

// What every mpirun begins with.
Command mpirun_command(const TrainerPrograms& programs, const GangFolder& folder) {
  Command command;
  command.folder = ".";  // relative paths of a spec are the agent's
  auto& argv = command.argv;
  // Open MPI binds one or two ranks to cores from core 0 on: two gangs would share them.
  append(argv, {programs.mpirun.string(), "--bind-to", "none"});
  if (geteuid() == 0) append(argv, {"--allow-run-as-root"});
  append(argv, {"--mca", "mpi_yield_when_idle", "1"});
  append(argv, {"--mca", "orte_tmpdir_base", folder.run().string()});
  return command;
}

}  // namespace

Result<LocalSpec> localize_spec(const std::string& yaml, const WorkerDevice& device,
                                int threads_per_rank) {
  PM_ASSIGN(JobSpec spec, parse_job_spec(yaml));
  Device& wanted = spec.resources.device;
  if (wanted == Device::kCuda && !device.cuda) {
    return failed_precondition(
        "resources.device is cuda, but this worker offers cpu only; submit it with auto or cpu, or "
        "start a worker with a GPU");
  }
  if (wanted == Device::kAuto) wanted = device.cuda ? Device::kCuda : Device::kCpu;
  if (spec.resources.threads == 0) spec.resources.threads = threads_per_rank;
  LocalSpec local;
  local.yaml = to_yaml(spec);
  local.method = method_name(spec.method);
  local.uses_gpu = wanted == Device::kCuda;
  return local;
}

Command trainer_command(const TrainerPrograms& programs, const GangFolder& folder, int ranks,
                        const std::optional<TrialFiles>& alone, const HostShare& share) {
  Command command = mpirun_command(programs, folder);
  command.environment = gang_environment(folder, share);
  auto& argv = command.argv;
  append(argv, {"-n", std::to_string(ranks), "--oversubscribe"});
  append(argv, {"--mca", "btl_vader_backing_directory", folder.run().string()});
  append(argv, {programs.trainer.string()});
  if (alone) {
    append(argv, {alone->spec.string(), "--out", alone->out.string(), "--resume", "--portable",
                  alone->portable.string()});
  } else {
    append(argv, {"--bank", folder.bank().string()});
  }
  append(argv, {"--events", folder.socket().string(), "--cache", programs.cache.string()});
  return command;
}

Command head_command(const TrainerPrograms& programs, const GangFolder& folder,
                     const std::vector<GangHost>& hosts, const TrialFiles& trial,
                     const HostShare& share) {
  Command command = mpirun_command(programs, folder);
  command.environment = rank_environment(programs, folder, trial, share);
  std::string names;
  int ranks = 0;
  for (size_t i = 0; i < hosts.size(); ++i) {
    names += (i > 0 ? "," : "") + mpi_name(i) + ":" + std::to_string(hosts[i].ranks);
    ranks += hosts[i].ranks;
  }
  auto& argv = command.argv;
  // Called by its path, mpirun would have the others find their Open MPI at that same path.
  append(argv, {"--noprefix", "-n", std::to_string(ranks), "--host", names});
  // The daemons stay children of those who have started them, and are started by this one alone.
  append(argv, {"--leave-session-attached", "--mca", "plm_rsh_no_tree_spawn", "1"});
  append(argv,
         {"--mca", "plm_rsh_agent", folder.rsh().string() + " " + folder.requests().string()});
  // Shared memory would need one path on all hosts, which nobody would clean up.
  append(argv, {"--mca", "btl", "tcp,self"});
  // A host that is cut off is missed within half a minute.
  append(argv, {"--mca", "oob_tcp_keepalive_time", "10"});
  append(argv, {"--mca", "oob_tcp_keepalive_intvl", "5"});
  append(argv, {"--mca", "oob_tcp_keepalive_probes", "3"});
  append(argv, {folder.trainer().filename().string(), "--resume"});
  return command;
}

std::vector<std::string> rank_environment(const TrainerPrograms& programs, const GangFolder& folder,
                                          const TrialFiles& trial, const HostShare& share) {
  std::vector<std::string> environment = gang_environment(folder, share);
  const char* const path = std::getenv("PATH");
  append(environment,
         {"PATH=" + folder.run().string() + (path == nullptr ? "" : std::string(":") + path),
          "PREFIXMEM_TRAINER_SPEC=" + trial.spec.string(),
          "PREFIXMEM_TRAINER_OUT=" + trial.out.string(),
          "PREFIXMEM_TRAINER_PORTABLE=" + trial.portable.string(),
          "PREFIXMEM_TRAINER_EVENTS=" + folder.socket().string(),
          "PREFIXMEM_TRAINER_CACHE=" + programs.cache.string()});
  return environment;
}

Status link_program(const std::filesystem::path& program, const std::filesystem::path& link) {
  std::error_code error;
  std::filesystem::create_symlink(program, link, error);
  return error ? from_errno("linking " + link.string(), error.value()) : Status();
}

std::string bank_file(const std::vector<TrialFiles>& trials) {
  auto list = ordered_json::array();
  for (const TrialFiles& trial : trials) list.push_back(to_json(trial));
  return ordered_json{{"trials", std::move(list)}}.dump(2) + "\n";
}

std::string join_line(const TrialFiles& trial) {
  return ordered_json{{"join", to_json(trial)}}.dump() + "\n";
}

std::vector<std::string> choose_gpus(const std::vector<Gpu>& gpus,
                                     const std::map<std::string, int>& gangs_on, int ranks) {
  std::vector<size_t> order(gpus.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto load = [&](size_t i) {
    const auto at = gangs_on.find(gpus[i].id);
    return at == gangs_on.end() ? 0 : at->second;
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return load(a) < load(b); });
  order.resize(std::min(order.size(), static_cast<size_t>(ranks)));
  std::sort(order.begin(), order.end());
  std::vector<std::string> chosen;
  for (const size_t i : order) chosen.push_back(gpus[i].id);
  return chosen;
}

}  // namespace prefixmem::agent
