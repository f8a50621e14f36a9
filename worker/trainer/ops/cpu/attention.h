// Attention in bf16 over a plan of short parts, all query heads of a key head in one product.
#pragma once

#include <torch/types.h>

#include "worker/trainer/ops/attention_plan.h"

namespace prefixmem::trainer::cpu {

// Whether this is for the functions below: bf16 on a CPU, and every part small enough for its
// scores to stay in cache.
bool attends(const torch::Tensor& query, const torch::Tensor& key, const AttentionPlan& plan);

struct Attended {
  torch::Tensor out;         // bf16 [T, heads, d]
  torch::Tensor normaliser;  // fp32 [T, heads]: log of the softmax's denominator
};

// Shapes as attention(). Its bits do not depend on the number of threads.
Attended attend(const torch::Tensor& query, const torch::Tensor& key, const torch::Tensor& value,
                const AttentionPlan& plan, double scale);

struct AttentionGradient {
  torch::Tensor query, key, value;  // bf16
};

AttentionGradient attend_backward(const torch::Tensor& gradient, const torch::Tensor& query,
                                  const torch::Tensor& key, const torch::Tensor& value,
                                  const Attended& attended, const AttentionPlan& plan,
                                  double scale);

}  // namespace prefixmem::trainer::cpu
