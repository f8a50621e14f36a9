// LibTorch's part for GPUs, which a rank loads that may have one: without it, a rank on CPUs takes
// 350 MB less and a third less time to start.
#pragma once

#include <torch/types.h>

#include <string>

#include "common/status.h"

namespace prefixmem::trainer {

// GPUs that CUDA shows to this process; 0 where the machine has no driver (libcuda.so.1). Where it
// has one, loads LibTorch's part, for the life of the process, or says why that does not load
// (FAILED_PRECONDITION). Comes before all else that asks LibTorch of CUDA, which it then remembers.
Result<int> count_gpus();

// The GPU's model name; "unknown GPU" where the driver does not tell.
std::string gpu_name(torch::Device device);

}  // namespace prefixmem::trainer
