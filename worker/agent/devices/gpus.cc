#include <dlfcn.h>

#include <algorithm>
#include <sstream>
#include <system_error>

#include "common/files.h"
#include "worker/agent/devices/devices.h"

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;

// NVML's C interface, which is stable; 0 is success.
class Nvml {
 public:
  Nvml() : library_(dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL)) {}
  ~Nvml() {
    if (library_ != nullptr) dlclose(library_);
  }
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  std::vector<Gpu> gpus() const {
    const auto init = symbol<int (*)()>("nvmlInit_v2");
    const auto shutdown = symbol<int (*)()>("nvmlShutdown");
    const auto count = symbol<int (*)(unsigned*)>("nvmlDeviceGetCount_v2");
    const auto by_index = symbol<int (*)(unsigned, void**)>("nvmlDeviceGetHandleByIndex_v2");
    const auto name = symbol<int (*)(void*, char*, unsigned)>("nvmlDeviceGetName");
    if (!init || !shutdown || !count || !by_index || !name || init() != 0) return {};
    std::vector<Gpu> gpus;
    unsigned number = 0;
    if (count(&number) != 0) number = 0;
    for (unsigned index = 0; index < number; ++index) {
      void* device = nullptr;
      char text[96] = "NVIDIA GPU";
      if (by_index(index, &device) == 0) name(device, text, sizeof text);
      gpus.push_back({std::to_string(index), text});
    }
    shutdown();
    return gpus;
  }

 private:
  template <typename Function>
  Function symbol(const char* name) const {
    return library_ == nullptr ? nullptr : reinterpret_cast<Function>(dlsym(library_, name));
  }
  void* const library_;
};

std::string model_of(const fs::path& information) {
  const auto text = read_file(information);
  if (!text.ok()) return "NVIDIA GPU";
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("Model:")) continue;
    const size_t begin = line.find_first_not_of(" \t", 6);
    if (begin != std::string::npos) return line.substr(begin);
  }
  return "NVIDIA GPU";
}

}  // namespace

std::vector<Gpu> list_gpus(const fs::path& proc) {
  if (auto gpus = Nvml().gpus(); !gpus.empty()) return gpus;
  std::vector<fs::path> folders;
  std::error_code error;
  for (fs::directory_iterator at(proc / "driver/nvidia/gpus", error), end; !error && at != end;
       at.increment(error)) {
    folders.push_back(at->path());
  }
  std::sort(folders.begin(), folders.end());
  std::vector<Gpu> gpus;
  for (const fs::path& folder : folders) {
    gpus.push_back({std::to_string(gpus.size()), model_of(folder / "information")});
  }
  return gpus;
}

}  // namespace prefixmem::agent
