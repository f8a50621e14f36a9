// What this process takes.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace prefixmem::trainer {

// Proportional set size: resident memory, shared pages split among their users; 0 where the kernel does not say.
// Costs about a millisecond for each gigabyte mapped.
int64_t proportional_bytes();

// Memory that this process holds on a GPU; 0 on the CPU.
int64_t device_bytes(torch::Device device);

}  // namespace prefixmem::trainer
