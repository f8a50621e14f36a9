// How a global batch is cut: rows to ranks, a rank's rows to micro-batches. Every rank computes the
// whole plan, so counts need no communication. A token counts where it is computed: of what rows of
// one micro-batch begin with in common, once.
#pragma once

#include <cstdint>
#include <vector>

#include "worker/trainer/data/example.h"
#include "worker/trainer/data/shared_rows.h"

namespace prefixmem::trainer {

// The rows of each rank; a rank may get none. The better of two cuts, by the tokens of the rank
// that has most: the longest row first, each to where the load is then lowest (the lowest rank of
// equals), which balances rows of any lengths; and runs of the rows in lexicographic order, which
// keeps together what shares.
std::vector<std::vector<int64_t>> split_over_ranks(const SharedRows& rows, int ranks);

// Each micro-batch computes at most `limit` tokens; a longer row goes alone. Rows that share follow
// one another, those of the longest row first; a row joins the one before it where the two share,
// otherwise the first micro-batch that has room.
std::vector<std::vector<int64_t>> split_micro_batches(const SharedRows& rows,
                                                      const std::vector<int64_t>& members,
                                                      int64_t limit);

struct CutOptions {
  int ranks = 1;
  int64_t micro_batch_tokens = 0;
  // Micro-batches that do not depend on the ranks, which get whole ones: each computes at most a
  // quarter of what the rows are without sharing, so that as many as four ranks have work.
  bool fixed = false;
};

// The micro-batches of each rank.
std::vector<std::vector<std::vector<int64_t>>> cut(const SharedRows& rows,
                                                   const CutOptions& options);

// One rank's part of a step.
struct StepPlan {
  std::vector<std::vector<int64_t>> micro_batches;  // indices of examples
  size_t rounds = 0;                                // most micro-batches that a rank has
  int64_t tokens = 0;        // model inputs of the rows, all ranks, shared or not
  int64_t label_tokens = 0;  // all ranks
  int64_t examples = 0;      // all ranks
};

struct PlanOptions {
  int rank = 0, ranks = 1;
  int64_t micro_batch_tokens = 0;
  int64_t examples_per_row = 1;     // as of the format (example.h)
  int64_t min_shared = kMinShared;  // what the packing is told, too (pack.h)
  bool fixed = false;               // as of CutOptions
};

// The examples of a row stay together, one after the other, so that of preference rows every
// micro-batch is chosen, rejected, chosen, rejected, …
StepPlan plan_step(const std::vector<int64_t>& rows, const std::vector<Example>& examples,
                   const PlanOptions& options);

// The examples of rows[m] for each m of `members`.
std::vector<int64_t> examples_of(const std::vector<int64_t>& members,
                                 const std::vector<int64_t>& rows, int64_t examples_per_row);

}  // namespace prefixmem::trainer
