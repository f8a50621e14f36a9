// Softmax attention over a ragged batch.
#pragma once

#include <torch/types.h>

#include "worker/trainer/ops/attention_plan.h"

namespace prefixmem::trainer {

// softmax(scale · q kᵀ) v for each part of the plan. query [T, heads, d]; key and value
// [S, key heads, d], key heads dividing heads; returns [T, heads, d]. Keeps its inputs, its output
// and one fp32 normaliser a query and head; the scores are computed again in the backward.
torch::Tensor attention(const torch::Tensor& query, const torch::Tensor& key,
                        const torch::Tensor& value, const AttentionPlan& plan, double scale);

}  // namespace prefixmem::trainer
