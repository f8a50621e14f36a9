// What this process takes.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace prefixmem::trainer {

// Proportional set size: resident memory, shared pages split among their users; 0 where the kernel
// does not say. Costs about a millisecond for each gigabyte mapped.
int64_t proportional_bytes();

// Memory that this process holds on a GPU; 0 on the CPU.
int64_t device_bytes(torch::Device device);

// That this rank may still take: of the GPU what others have not, and what is kept there unused; or
// its share of what the host or this process's cgroup has left, of `local_ranks` that load at once.
int64_t available_bytes(torch::Device device, int local_ranks);

// Share of the last sample period in which the GPU was busy, 0 to 1, as NVIDIA's management library
// has it; -1 on the CPU, without that library and where CUDA_VISIBLE_DEVICES names GPUs by numbers.
double device_utilization(torch::Device device);

}  // namespace prefixmem::trainer
