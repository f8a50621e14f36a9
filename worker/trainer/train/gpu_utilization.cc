// NVML, loaded at run time: it comes with the driver, not with LibTorch. Its C interface is stable.
#include <dlfcn.h>

#include <cstdlib>

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
    rates_ = symbol<int (*)(void*, Rates*)>("nvmlDeviceGetUtilizationRates");
    usable_ = init != nullptr && by_index_ != nullptr && rates_ != nullptr && init() == 0;
  }

  double utilization(unsigned index) const {
    void* device = nullptr;
    Rates rates{};
    if (!usable_ || by_index_(index, &device) != 0 || rates_(device, &rates) != 0) return -1;
    return rates.gpu / 100.0;
  }

 private:
  template <typename Function>
  Function symbol(const char* name) {
    return reinterpret_cast<Function>(dlsym(library_, name));
  }

  void* const library_;
  int (*by_index_)(unsigned, void**) = nullptr;
  int (*rates_)(void*, Rates*) = nullptr;
  bool usable_ = false;
};

}  // namespace

double device_utilization(torch::Device device) {
  // With a choice of visible GPUs, CUDA's numbers are not NVML's.
  if (device.is_cpu() || std::getenv("CUDA_VISIBLE_DEVICES") != nullptr) return -1;
  static const Nvml nvml;  // for the life of the process
  return nvml.utilization(static_cast<unsigned>(device.index()));
}

}  // namespace prefixmem::trainer
