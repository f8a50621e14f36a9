#include "worker/agent/attempt/trainer_command.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/spec/spec_io.h"

namespace prefixmem::agent {
namespace {

using nlohmann::ordered_json;

ordered_json to_json(const TrialFiles& trial) {
  return {{"spec", trial.spec.string()},
          {"out", trial.out.string()},
          {"resume", true},
          {"portable", trial.portable.string()}};
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
                        const std::optional<TrialFiles>& alone,
                        const std::vector<std::string>& gpus) {
  Command command;
  command.folder = ".";  // relative paths of a spec are the agent's
  command.environment = {folder.mark()};
  std::string visible;
  for (const std::string& gpu : gpus) visible += (visible.empty() ? "" : ",") + gpu;
  if (!gpus.empty()) command.environment.push_back("CUDA_VISIBLE_DEVICES=" + visible);

  auto& argv = command.argv;
  const auto add = [&argv](std::initializer_list<std::string> words) {
    argv.insert(argv.end(), words);
  };
  add({programs.mpirun.string(), "-n", std::to_string(ranks)});
  // Open MPI binds one or two ranks to cores from core 0 on: two gangs would share them.
  add({"--bind-to", "none", "--oversubscribe"});
  if (geteuid() == 0) add({"--allow-run-as-root"});
  add({"--mca", "mpi_yield_when_idle", "1"});
  add({"--mca", "orte_tmpdir_base", folder.run().string()});
  add({"--mca", "btl_vader_backing_directory", folder.run().string()});
  add({programs.trainer.string()});
  if (alone) {
    add({alone->spec.string(), "--out", alone->out.string(), "--resume", "--portable",
         alone->portable.string()});
  } else {
    add({"--bank", folder.bank().string()});
  }
  add({"--events", folder.socket().string(), "--cache", programs.cache.string()});
  return command;
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
