#include "worker/trainer/train/memory.h"

#include <ATen/DeviceAccelerator.h>

#include <fstream>
#include <string>

#include "common/host_memory.h"

namespace prefixmem::trainer {

int64_t proportional_bytes() {
  std::ifstream rollup("/proc/self/smaps_rollup");
  std::string word;
  while (rollup >> word) {
    int64_t kibibytes = 0;
    if (word == "Pss:" && rollup >> kibibytes) return kibibytes * 1024;
  }
  return 0;
}

int64_t device_bytes(torch::Device device) {
  if (device.is_cpu()) return 0;
  const auto stats = at::accelerator::getDeviceStats(device.index());
  return stats.reserved_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)]
      .current;
}

int64_t available_bytes(torch::Device device, int local_ranks) {
  if (device.is_cpu()) return read_host_memory().available / local_ranks;
  const auto stats = at::accelerator::getDeviceStats(device.index());
  const auto now = [](const auto& of) {
    return of[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)].current;
  };
  return static_cast<int64_t>(at::accelerator::getMemoryInfo(device.index()).first) +
         now(stats.reserved_bytes) - now(stats.allocated_bytes);
}

}  // namespace prefixmem::trainer
