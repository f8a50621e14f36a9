// NVML, loaded at run time: it comes with the driver, not with LibTorch. Its C interface is stable.
#include <dlfcn.h>

#include <cstdlib>
#include <sstream>
#include <string>

#include "worker/trainer/train/memory.h"

namespace prefixmem::trainer {
namespace {

struct Rates {
  unsigned gpu, memory;  // per cent
};

class Nvml {
 public:
  Nvml() : library_(dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) return;
    const auto init = symbol<int (*)()>("nvmlInit_v2");
    by_index_ = symbol<int (*)(unsigned, void**)>("nvmlDeviceGetHandleByIndex_v2");
    by_uuid_ = symbol<int (*)(const char*, void**)>("nvmlDeviceGetHandleByUUID");
    rates_ = symbol<int (*)(void*, Rates*)>("nvmlDeviceGetUtilizationRates");
    usable_ = init != nullptr && by_index_ != nullptr && rates_ != nullptr && init() == 0;
  }

  double utilization(unsigned index) const {
    void* device = nullptr;
    return usable_ && by_index_(index, &device) == 0 ? utilization_of(device) : -1;
  }
  double utilization(const std::string& uuid) const {
    void* device = nullptr;
    const bool found = usable_ && by_uuid_ != nullptr && by_uuid_(uuid.c_str(), &device) == 0;
    return found ? utilization_of(device) : -1;
  }

 private:
  double utilization_of(void* device) const {
    Rates rates{};
    return rates_(device, &rates) == 0 ? rates.gpu / 100.0 : -1;
  }
  template <typename Function>
  Function symbol(const char* name) {
    return reinterpret_cast<Function>(dlsym(library_, name));
  }

  void* const library_;
  int (*by_index_)(unsigned, void**) = nullptr;
  int (*by_uuid_)(const char*, void**) = nullptr;
  int (*rates_)(void*, Rates*) = nullptr;
  bool usable_ = false;
};

// The entry of a list as in CUDA_VISIBLE_DEVICES; empty: it has none.
std::string entry(const char* list, int index) {
  std::istringstream entries(list);
  std::string id;
  for (int i = 0; i <= index; ++i) {
    if (!std::getline(entries, id, ',')) return {};
  }
  return id;
}

}  // namespace

double device_utilization(torch::Device device) {
  if (device.is_cpu()) return -1;
  static const Nvml nvml;  // for the life of the process
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  if (visible == nullptr) return nvml.utilization(static_cast<unsigned>(device.index()));
  const std::string id = entry(visible, device.index());
  // Of a choice by numbers, NVML need not know the same ones.
  return id.starts_with("GPU-") ? nvml.utilization(id) : -1;
}

}  // namespace prefixmem::trainer
