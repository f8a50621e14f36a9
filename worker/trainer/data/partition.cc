#include "worker/trainer/data/partition.h"

#include <algorithm>

namespace prefixmem::trainer {

StepPlan plan_step(const std::vector<int64_t>& rows, const std::vector<Example>& examples,
                   const PlanOptions& options) {
  const int64_t per_row = options.examples_per_row;
  StepPlan plan;
  plan.examples = static_cast<int64_t>(rows.size()) * per_row;
  for (const int64_t row : rows) {
    for (int64_t i = row * per_row; i < (row + 1) * per_row; ++i) {
      plan.tokens += examples[i].input_tokens();
      plan.label_tokens += examples[i].label_tokens();
    }
  }
  const SharedRows shared = shared_rows(rows, examples, per_row, options.min_shared);
  const auto members = split_over_ranks(shared, options.ranks);
  for (int rank = 0; rank < options.ranks; ++rank) {
    const auto batches = split_micro_batches(shared, members[rank], options.micro_batch_tokens);
    plan.rounds = std::max(plan.rounds, batches.size());
    if (rank != options.rank) continue;
    for (const auto& batch : batches) {
      plan.micro_batches.push_back(examples_of(batch, rows, per_row));
    }
  }
  return plan;
}

std::vector<int64_t> examples_of(const std::vector<int64_t>& members,
                                 const std::vector<int64_t>& rows, int64_t examples_per_row) {
  std::vector<int64_t> examples;
  for (const int64_t member : members) {
    const int64_t first = rows[member] * examples_per_row;
    for (int64_t k = 0; k < examples_per_row; ++k) examples.push_back(first + k);
  }
  return examples;
}

}  // namespace prefixmem::trainer
