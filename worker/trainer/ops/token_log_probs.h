// Log-probabilities of given tokens through a large output head.
#pragma once

#include <torch/types.h>

namespace prefixmem::trainer {

// log softmax(hidden · headᵀ)[id] for each row, fp32 [L]. hidden [L, n]; head [vocab, n] of the
// same dtype, frozen; ids int64 [L]. Differentiable in `hidden`. A block of rows of logits at a
// time: where a gradient will be wanted, the block gives d log p / d hidden at once ([L, n], fp32),
// so that neither logits nor a second pass over the head are needed later.
torch::Tensor token_log_probs(const torch::Tensor& hidden, const torch::Tensor& head,
                              const torch::Tensor& ids);

}  // namespace prefixmem::trainer
