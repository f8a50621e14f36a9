#include <dlfcn.h>

#include <algorithm>
#include <sstream>
#include <system_error>

#include "common/files.h"
#include "worker/agent/devices/devices.h"

namespace prefixmem::agent {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUnnamed = "NVIDIA GPU";

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
    if (!init || !shutdown || !count || init() != 0) return {};
    std::vector<Gpu> gpus;
    unsigned number = 0;
    if (count(&number) != 0) number = 0;
    for (unsigned index = 0; index < number; ++index) gpus.push_back(gpu(index));
    shutdown();
    return gpus;
  }

 private:
  using Text = int (*)(void*, char*, unsigned);
  // nvmlMemory_t.
  struct Memory {
    unsigned long long total = 0, free = 0, used = 0;
  };

  Gpu gpu(unsigned index) const {
    const auto by_index = symbol<int (*)(unsigned, void**)>("nvmlDeviceGetHandleByIndex_v2");
    void* device = nullptr;
    if (!by_index || by_index(index, &device) != 0) return {std::to_string(index), kUnnamed};
    return {text("nvmlDeviceGetUUID", device, std::to_string(index)),
            text("nvmlDeviceGetName", device, kUnnamed), memory(device)};
  }

  int64_t memory(void* device) const {
    const auto get = symbol<int (*)(void*, Memory*)>("nvmlDeviceGetMemoryInfo");
    Memory memory;
    return get && get(device, &memory) == 0 ? static_cast<int64_t>(memory.total) : 0;
  }

  std::string text(const char* function, void* device, const std::string& otherwise) const {
    const auto get = symbol<Text>(function);
    char text[96] = "";
    return get && get(device, text, sizeof text) == 0 ? text : otherwise;
  }

  template <typename Function>
  Function symbol(const char* name) const {
    return library_ == nullptr ? nullptr : reinterpret_cast<Function>(dlsym(library_, name));
  }
  void* const library_;
};

// The rest of the line "KEY: value"; empty: none.
std::string value_of(const std::string& key, const std::string& information) {
  std::istringstream lines(information);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key + ":")) continue;
    const size_t begin = line.find_first_not_of(" \t", key.size() + 1);
    if (begin != std::string::npos) return line.substr(begin);
  }
  return {};
}

Gpu gpu_of(const fs::path& information, size_t index) {
  const auto read = read_file(information);
  const std::string text = read.ok() ? *read : "";
  const std::string name = value_of("Model", text), uuid = value_of("GPU UUID", text);
  // The driver writes question marks for what it has not read from the device yet.
  const bool known = uuid.starts_with("GPU-") && uuid.find('?') == std::string::npos;
  return {known ? uuid : std::to_string(index), name.empty() ? kUnnamed : name};
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
    gpus.push_back(gpu_of(folder / "information", gpus.size()));
  }
  return gpus;
}

}  // namespace prefixmem::agent
