// What this host computes with.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/status.h"

namespace prefixmem::agent {

struct Gpu {
  // As CUDA_VISIBLE_DEVICES names it: its UUID, as CUDA counts the fastest first and the driver in
  // the order of the bus; a number where the UUID is not to be had or the agent was given one.
  std::string id;
  std::string name;    // e.g. "NVIDIA H200"
  int64_t memory = 0;  // bytes; 0: not known
};

struct HostDevices {
  std::string cpu_name;
  int cores = 1;  // that this process may use
  std::vector<Gpu> gpus;
};

// What the worker offers.
struct WorkerDevice {
  bool cuda = false;
  std::vector<std::string> names;  // GPUs, or the CPU
  std::vector<Gpu> gpus;           // empty on cpu
  int default_slots = 1;           // a rank a GPU, or a rank a core
  int64_t gpu_memory = 0;          // bytes of the smallest GPU; 0: not known, or none

  // Of its GPU, where so many ranks share all of them.
  int64_t memory_of_rank(int ranks) const;
  std::string kind() const { return cuda ? "cuda" : "cpu"; }
};

HostDevices find_devices();

// Bytes for jobs: `wanted`, or where that is 0 what the host or its cgroup has but for a sixteenth.
int64_t memory_for_jobs(int64_t wanted, int64_t total);

// `wanted`: auto | cpu | cuda. cuda without a GPU is FAILED_PRECONDITION. Pure.
Result<WorkerDevice> choose_device(const std::string& wanted, const HostDevices& host);

// GPUs by NVML (loaded at run time: it comes with the driver), otherwise by the driver's files.
std::vector<Gpu> list_gpus(const std::filesystem::path& proc = "/proc");
// Those of `all` that a list as in CUDA_VISIBLE_DEVICES ("1,0", "GPU-8a5") leaves visible. Pure.
std::vector<Gpu> visible_gpus(const std::vector<Gpu>& all, const std::string& list);

}  // namespace prefixmem::agent
