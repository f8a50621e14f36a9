// Initial values of trained tensors: each a function of (seed, the tensor's name, its index) alone.
#pragma once

#include <torch/types.h>

#include <string_view>

namespace prefixmem::trainer {

// Uniform in [-bound, bound), fp32 on the CPU.
torch::Tensor uniform_values(at::IntArrayRef shape, double bound, uint64_t seed,
                             std::string_view name);

// Normal with mean 0, fp32 on the CPU.
torch::Tensor normal_values(at::IntArrayRef shape, double deviation, uint64_t seed,
                            std::string_view name);

}  // namespace prefixmem::trainer
