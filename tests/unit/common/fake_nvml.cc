// libnvidia-ml.so.1 of a host with two GPUs.
#include <cstdio>
#include <string>

namespace {

struct Rates {
  unsigned gpu, memory;
};

struct Memory {
  unsigned long long total, free, used;
};

struct Device {
  const char *uuid, *name;
  Rates rates;
  Memory memory;
} devices[] = {{"GPU-a1", "NVIDIA H200", {25, 0}, {141ULL << 30, 0, 0}},
               {"GPU-b2", "NVIDIA H100", {50, 0}, {80ULL << 30, 0, 0}}};

int fill(char* text, unsigned size, const char* value) {
  std::snprintf(text, size, "%s", value);
  return 0;
}

}  // namespace

// NOLINTBEGIN(readability-identifier-naming): NVML's own names.
extern "C" {
int nvmlInit_v2() { return 0; }
int nvmlShutdown() { return 0; }
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 2;
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  if (index >= 2) return 2;
  *device = &devices[index];
  return 0;
}
int nvmlDeviceGetHandleByUUID(const char* uuid, void** device) {
  for (Device& known : devices) {
    if (known.uuid != std::string(uuid)) continue;
    *device = &known;
    return 0;
  }
  return 6;
}
int nvmlDeviceGetUUID(void* device, char* text, unsigned size) {
  return fill(text, size, static_cast<Device*>(device)->uuid);
}
int nvmlDeviceGetName(void* device, char* text, unsigned size) {
  return fill(text, size, static_cast<Device*>(device)->name);
}
int nvmlDeviceGetMemoryInfo(void* device, Memory* memory) {
  *memory = static_cast<Device*>(device)->memory;
  return 0;
}
int nvmlDeviceGetUtilizationRates(void* device, Rates* rates) {
  *rates = static_cast<Device*>(device)->rates;
  return 0;
}
}
// NOLINTEND(readability-identifier-naming)
