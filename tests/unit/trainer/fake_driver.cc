// libcuda.so.1 of a machine whose driver shows no GPU to CUDA, but knows the name of one.
#include <cstdio>

// NOLINTBEGIN(readability-identifier-naming): CUDA's own names.
extern "C" {
int cuInit(unsigned) { return 100; }  // no device
int cuDeviceGet(int* device, int ordinal) {
  *device = ordinal;
  return ordinal == 0 ? 0 : 101;  // no such device
}
int cuDeviceGetName(char* name, int size, int) {
  std::snprintf(name, static_cast<size_t>(size), "NVIDIA H200");
  return 0;
}
}
// NOLINTEND(readability-identifier-naming)
