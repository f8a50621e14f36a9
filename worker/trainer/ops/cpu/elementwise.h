// The elementwise operations of a decoder layer in one pass each, on tensors that
// cpu::handles() accepts. Outside autograd: callers are the custom functions of ops/.
#pragma once

#include <torch/types.h>

#include "common/model/config.h"
#include "worker/trainer/ops/cpu/row_kernels.h"

namespace prefixmem::trainer::cpu {

struct Normed {
  torch::Tensor y;        // as x
  torch::Tensor inverse;  // fp32 [..., 1]
};

// x [..., n]; factor fp32 [n]; residual as x, added to the norm, or undefined.
Normed norm(const torch::Tensor& x, const torch::Tensor& factor, double eps,
            const torch::Tensor& residual);
torch::Tensor norm_backward(const torch::Tensor& gradient, const torch::Tensor& x,
                            const torch::Tensor& factor, const torch::Tensor& inverse);

// x [T, heads, head_dim]; cos and sin fp32 [T, 1, head_dim / 2]; sign -1 turns back.
torch::Tensor rotate(const torch::Tensor& x, const torch::Tensor& cos, const torch::Tensor& sin,
                     float sign);

// gate, up [T, n].
torch::Tensor gate(const torch::Tensor& gate, const torch::Tensor& up, Activation activation);
struct GateGradients {
  torch::Tensor gate, up;
};
GateGradients gate_backward(const torch::Tensor& gradient, const torch::Tensor& gate,
                            const torch::Tensor& up, Activation activation);

// x [T, heads, d], without gaps within a head → phi(x), contiguous.
torch::Tensor feature(const torch::Tensor& x, Feature kind);
// gradient fp32 [T, heads, d] → gradient · phi'(x) in x's dtype.
torch::Tensor feature_backward(const torch::Tensor& gradient, const torch::Tensor& x, Feature kind);

}  // namespace prefixmem::trainer::cpu
