// Stands in for cuda.cc where LibTorch has no part for CUDA.
#include "worker/trainer/collective/cuda.h"

namespace prefixmem::trainer {

Result<int> count_gpus() { return 0; }

std::string gpu_name(torch::Device) { return "unknown GPU"; }

}  // namespace prefixmem::trainer
