// How a global batch is cut: rows to ranks, a rank's rows to micro-batches. Every rank computes the
// whole plan, so counts need no communication.
#pragma once

#include <cstdint>
#include <vector>

#include "worker/trainer/data/example.h"

namespace prefixmem::trainer {

// rows[i] costs tokens[i]; the longest goes first, to the rank with the fewest tokens so far (the
// lowest of equals). Returns indices into `tokens` for each rank, longest first; a rank may get
// none.
std::vector<std::vector<int64_t>> split_over_ranks(const std::vector<int64_t>& tokens, int ranks);

// First fit over `members` (indices into `tokens`, in the order given): each micro-batch holds at
// most `limit` tokens, a longer row goes alone.
std::vector<std::vector<int64_t>> split_micro_batches(const std::vector<int64_t>& members,
                                                      const std::vector<int64_t>& tokens,
                                                      int64_t limit);

// One rank's part of a step.
struct StepPlan {
  std::vector<std::vector<int64_t>> micro_batches;  // indices of examples
  size_t rounds = 0;                                // most micro-batches that a rank has
  int64_t tokens = 0;                               // model inputs, all ranks
  int64_t label_tokens = 0;                         // all ranks
  int64_t examples = 0;                             // all ranks
};
// `examples_per_row`: as of the format (example.h). The examples of a row stay together, one after
// the other, so that of preference rows every micro-batch is chosen, rejected, chosen, rejected, …
StepPlan plan_step(const std::vector<int64_t>& rows, const std::vector<Example>& examples, int rank,
                   int ranks, int64_t micro_batch_tokens, int64_t examples_per_row = 1);

}  // namespace prefixmem::trainer
