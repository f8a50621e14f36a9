// Log-probabilities through a large output head in one reading of the head, in bf16.
#pragma once

#include <torch/types.h>

namespace prefixmem::trainer::cpu {

bool scores_vocabulary(const torch::Tensor& hidden, const torch::Tensor& head);

struct VocabularyScores {
  torch::Tensor log_probs;  // fp32 [L]
  torch::Tensor gradient;   // fp32 [L, n]: d log p / d hidden, or undefined
};

// Enough to pay for a reading of the head, few enough for their sums to stay in cache.
constexpr int64_t kLabelsAtOnce = 64;

// hidden [L, n], head [vocab, n], ids int64 [L], at best kLabelsAtOnce of them. Holds a few hundred
// rows of logits at a time. Its bits do not depend on the number of threads.
VocabularyScores score_vocabulary(const torch::Tensor& hidden, const torch::Tensor& head,
                                  const torch::Tensor& ids, bool with_gradient);

}  // namespace prefixmem::trainer::cpu
