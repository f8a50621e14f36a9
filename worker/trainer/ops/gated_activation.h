// The elementwise middle of a gated MLP.
#pragma once

#include <torch/types.h>

#include "common/model/config.h"

namespace prefixmem::trainer {

// activation(gate) · up, all [T, intermediate]. Keeps gate and up; the activation is computed again
// in the backward.
torch::Tensor gated_activation(const torch::Tensor& gate, const torch::Tensor& up,
                               Activation activation);

}  // namespace prefixmem::trainer
