#include "worker/trainer/train/fingerprint.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/headeronly/version.h>

#include <fstream>

#include "worker/trainer/collective/cuda.h"

namespace prefixmem::trainer {
namespace {

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with("model name")) continue;
    const size_t colon = line.find(": ");
    return colon == std::string::npos ? line : line.substr(colon + 2);
  }
  return "unknown CPU";
}

}  // namespace

std::string machine_fingerprint(const Collective& gang, bool any_ranks) {
  const std::string processor = gang.device().is_cpu()
                                    ? at::get_cpu_capability() + " | " + cpu_name()
                                    : gpu_name(gang.device());
  const std::string ranks = any_ranks ? "any" : std::to_string(gang.size());
  return processor + " | torch " TORCH_VERSION " | " + std::to_string(at::get_num_threads()) +
         " threads | " + ranks + " ranks";
}

}  // namespace prefixmem::trainer
