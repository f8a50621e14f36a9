// One row's attention in every layer, as a forward of the model with or without its adapter saw it.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <span>
#include <vector>

#include "worker/trainer/model/transformer.h"

namespace prefixmem::trainer {

// One layer, T tokens behind a prefix of p; in the model's dtype, on the CPU.
struct AttentionRecord {
  torch::Tensor query;     // [T, heads, d], rotated
  torch::Tensor key;       // [p + T, key heads, d], rotated but for the prefix
  torch::Tensor value;     // [p + T, key heads, d]
  torch::Tensor attended;  // [T, heads, d], what o_proj reads
  torch::Tensor out;       // [T, hidden], what the attention block gives
  // PrefixMemory's term M^T phi(·), or undefined: of scope head a part of `attended`, [T, heads,
  // d], of scope hidden a part of `out`, [T, hidden].
  torch::Tensor head_term, hidden_term;
};

// By layer. `adapter` may be null; `ids` are at least one.
std::vector<AttentionRecord> record_attention(Transformer& model, Adapter* adapter,
                                              std::span<const int32_t> ids);

}  // namespace prefixmem::trainer
