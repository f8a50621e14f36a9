// What this host computes with.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/status.h"

namespace prefixmem::agent {

struct Gpu {
  // As CUDA_VISIBLE_DEVICES names it: its UUID, as CUDA counts the fastest first and the driver in
  // the order of the bus; a number where the UUID is not to be had or the agent was given one.
  std::string id;
  std::string name;  // e.g. "NVIDIA H200"
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

  std::string kind() const { return cuda ? "cuda" : "cpu"; }
};

HostDevices find_devices();

// `wanted`: auto | cpu | cuda. cuda without a GPU is FAILED_PRECONDITION. Pure.
Result<WorkerDevice> choose_device(const std::string& wanted, const HostDevices& host);

// GPUs by NVML (loaded at run time: it comes with the driver), otherwise by the driver's files.
std::vector<Gpu> list_gpus(const std::filesystem::path& proc = "/proc");
// Those of `all` that a list as in CUDA_VISIBLE_DEVICES ("1,0", "GPU-8a5") leaves visible. Pure.
std::vector<Gpu> visible_gpus(const std::vector<Gpu>& all, const std::string& list);

}  // namespace prefixmem::agent
