#include "worker/trainer/collective/cuda.h"

#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>

#include <array>

namespace prefixmem::trainer {
namespace {

// Of the driver: its C interface is stable. Null where the machine has none.
void* driver() {
  static void* const library = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  return library;
}

template <typename Function>
Function symbol(const char* name) {
  return reinterpret_cast<Function>(dlsym(driver(), name));
}

}  // namespace

Result<int> count_gpus() {
  if (driver() == nullptr) return 0;
  if (dlopen("libtorch_cuda.so", RTLD_LAZY | RTLD_GLOBAL) == nullptr) {
    return failed_precondition(
        std::string("this machine has a CUDA driver, but LibTorch for CUDA does not load: ") +
        dlerror() + "; resources.device cpu goes without it");
  }
  return c10::impl::VirtualGuardImpl(c10::kCUDA).deviceCount();
}

std::string gpu_name(torch::Device device) {
  constexpr const char* kUnknown = "unknown GPU";
  if (driver() == nullptr) return kUnknown;
  const auto get = symbol<int (*)(int*, int)>("cuDeviceGet");
  const auto name_of = symbol<int (*)(char*, int, int)>("cuDeviceGetName");
  if (get == nullptr || name_of == nullptr) return kUnknown;
  int handle = 0;
  std::array<char, 256> name{};
  const bool told = get(&handle, device.index()) == 0 &&
                    name_of(name.data(), static_cast<int>(name.size()) - 1, handle) == 0;
  return told ? name.data() : kUnknown;
}

}  // namespace prefixmem::trainer
