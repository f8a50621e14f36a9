// Linear maps in bf16, and low-rank updates of them beside them in the same products.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "worker/trainer/model/linear_weights.h"
#include "worker/trainer/ops/linear.h"

namespace prefixmem::trainer::cpu {

// x [T, in].
bool runs_linear(const torch::Tensor& x, const std::vector<LinearWeights>& maps);

// Updates of the same rows of x, side by side, in bf16. A rank that is odd is filled up with zeros.
struct JoinedUpdates {
  int64_t begin, count;  // rows of x
  torch::Tensor a;       // [width, in]
  torch::Tensor inner;   // x aᵀ [count, width]
  struct Member {
    size_t map;
    int64_t first;    // of its columns of `inner`
    torch::Tensor b;  // scale · b [out, even rank]
  };
  std::vector<Member> members;  // as the updates, in their order
};

std::vector<JoinedUpdates> join_updates(const torch::Tensor& x,
                                        const std::vector<LowRankUpdate>& updates);

// x weightᵀ + bias + the updates; [T, out] each, summed in fp32 and rounded once.
std::vector<torch::Tensor> linear(const torch::Tensor& x, const std::vector<LinearWeights>& maps,
                                  const std::vector<JoinedUpdates>& joined);

struct LinearGradients {
  torch::Tensor x;  // undefined where not asked for
  // Of each update: of a and of scale · b, fp32 and of even rank.
  std::vector<torch::Tensor> a, b;
};
LinearGradients linear_backward(const std::vector<torch::Tensor>& gradients, const torch::Tensor& x,
                                const std::vector<LinearWeights>& maps,
                                const std::vector<JoinedUpdates>& joined, bool of_x);

// gradientᵀ x [out, in], rounded once.
torch::Tensor weight_gradient(const torch::Tensor& gradient, const torch::Tensor& x);

}  // namespace prefixmem::trainer::cpu
