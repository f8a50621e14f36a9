#include "worker/agent/devices/devices.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <sstream>

#include "common/files.h"

namespace prefixmem::agent {
namespace {

// The value of the first "key : value" line.
std::string cpu_model() {
  const auto text = read_file("/proc/cpuinfo");
  if (!text.ok()) return "unknown CPU";
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown CPU";
}

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

// By the beginning of its UUID, or by a number, which stays one: CUDA's order need not be ours.
std::optional<Gpu> named(const std::string& id, const std::vector<Gpu>& all) {
  size_t number = 0;
  const char* end = id.data() + id.size();
  if (std::from_chars(id.data(), end, number).ptr == end && number < all.size()) {
    return Gpu{id, all[number].name, all[number].memory};
  }
  if (!id.starts_with("GPU-") && !id.starts_with("MIG-")) return std::nullopt;
  const auto same = [&](const Gpu& gpu) { return gpu.id.starts_with(id); };
  const auto known = std::find_if(all.begin(), all.end(), same);
  if (known != all.end()) return *known;
  return Gpu{id, all.empty() ? id : all.front().name};
}

}  // namespace

int64_t WorkerDevice::memory_of_rank(int ranks) const {
  if (gpus.empty()) return 0;
  const auto count = static_cast<int>(gpus.size());
  return gpu_memory / std::max(1, (ranks + count - 1) / count);
}

HostDevices find_devices() {
  HostDevices host{cpu_model(), usable_cores(), list_gpus()};
  if (const char* visible = std::getenv("CUDA_VISIBLE_DEVICES")) {
    host.gpus = visible_gpus(host.gpus, visible);
  }
  return host;
}

// Rounded, so that hosts of one kind offer the same.
int64_t memory_for_jobs(int64_t wanted, int64_t total) {
  constexpr int64_t kGrain = 256 << 20;
  if (wanted > 0) return wanted;
  const int64_t offered = total - total / 16;
  return offered < kGrain ? offered : offered / kGrain * kGrain;
}

std::vector<Gpu> visible_gpus(const std::vector<Gpu>& all, const std::string& list) {
  std::vector<Gpu> visible;
  std::istringstream ids(list);
  for (std::string id; std::getline(ids, id, ',');) {
    auto gpu = named(id, all);
    if (!gpu) break;  // CUDA ignores what follows an id that is not there
    visible.push_back(*std::move(gpu));
  }
  return visible;
}

Result<WorkerDevice> choose_device(const std::string& wanted, const HostDevices& host) {
  WorkerDevice device;
  device.cuda = wanted == "cuda" || (wanted == "auto" && !host.gpus.empty());
  if (device.cuda && host.gpus.empty()) {
    return failed_precondition(
        "--device is cuda, but this host has no NVIDIA GPU that the driver shows");
  }
  if (!device.cuda && wanted != "auto" && wanted != "cpu") {
    return invalid_argument("--device is " + wanted + "; allowed: auto, cpu, cuda");
  }
  if (!device.cuda) {
    device.names = {host.cpu_name + ", " + std::to_string(host.cores) + " cores"};
    device.default_slots = host.cores;
    return device;
  }
  device.gpus = host.gpus;
  for (const Gpu& gpu : host.gpus) device.names.push_back(gpu.name);
  device.default_slots = static_cast<int>(host.gpus.size());
  const auto smallest =
      std::min_element(host.gpus.begin(), host.gpus.end(),
                       [](const Gpu& a, const Gpu& b) { return a.memory < b.memory; });
  device.gpu_memory = smallest->memory;
  return device;
}

}  // namespace prefixmem::agent
