// Log-probabilities of given tokens through a large output head.
#pragma once

#include <torch/types.h>

namespace prefixmem::trainer {

// log softmax(hidden · headᵀ)[id] for each row, fp32 [L]. hidden [L, n]; head [vocab, n] of the
// same dtype; ids int64 [L]. Never more than a block of rows of logits at a time. With a frozen
// head it is differentiable in `hidden`: where a gradient will be wanted, the block gives d log p /
// d hidden at once ([L, n], fp32), so that neither logits nor a second pass over the head are
// needed later. With a head that requires gradients the backward computes the logits again.
torch::Tensor token_log_probs(const torch::Tensor& hidden, const torch::Tensor& head,
                              const torch::Tensor& ids);

}  // namespace prefixmem::trainer
